// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/simd/simd_dispatch.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace engram::cpu {
namespace {

#ifdef __x86_64__
// By hand: clang 14's __builtin_cpu_supports does not know it.
bool HasF16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c();
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
