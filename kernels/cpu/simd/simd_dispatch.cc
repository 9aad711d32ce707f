// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/simd/simd_dispatch.h"

namespace engram::cpu {
namespace {

#ifdef __x86_64__
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}
bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
#else
bool HasAvx2() { return false; }
bool HasAvx512() { return false; }
#endif

}  // namespace

std::vector<const SimdKernels*> KernelsOfThisMachine() {
  std::vector<const SimdKernels*> found = {PortableKernels()};
  if (HasAvx2() && Avx2Kernels() != nullptr) found.push_back(Avx2Kernels());
  if (HasAvx512() && Avx512Kernels() != nullptr) found.push_back(Avx512Kernels());
  return found;
}

}  // namespace engram::cpu
