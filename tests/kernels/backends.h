// SPDX-License-Identifier: Apache-2.0
// Every backend that a kernel test runs on: the reference, and the CPU backend at every SIMD level
// that this machine has.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/simd/simd_dispatch.h"
#include "kernels/ref/ref_backend.h"

namespace engram::testing_support {

struct BackendCase {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
};

inline void PrintTo(const BackendCase& backend, std::ostream* out) { *out << backend.name; }

inline std::vector<BackendCase> AllBackends() {
  std::vector<BackendCase> cases = {{"ref", [] { return MakeRefBackend(); }}};
  for (const cpu::SimdKernels* kernels : cpu::KernelsOfThisMachine()) {
    cases.push_back({std::string("cpu_") + kernels->name,
                     [kernels] { return MakeCpuBackend({.threads = 3, .kernels = kernels}); }});
  }
  return cases;
}

inline std::string BackendCaseName(const ::testing::TestParamInfo<BackendCase>& info) {
  return info.param.name;
}

}  // namespace engram::testing_support
