// SPDX-License-Identifier: Apache-2.0
// The backend for the machine's own processors: a thread pool and SIMD inner loops chosen for the
// processor at start. Weights are read where they lie, in their own dtype.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/cpu/simd/simd_kernels.h"

namespace engram {

struct CpuBackendOptions {
  int threads = 0;  // 0 = as many as the process may run on
  // One of cpu::KernelsOfThisMachine(), for tests; nullptr = the fastest. Two instruction sets may
  // give results that differ in the last bits; the number of threads changes nothing.
  const cpu::SimdKernels* kernels = nullptr;
};

std::unique_ptr<Backend> MakeCpuBackend(const CpuBackendOptions& options);

}  // namespace engram
