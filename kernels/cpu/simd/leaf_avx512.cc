// SPDX-License-Identifier: Apache-2.0
// The inner loops compiled for Avx512; nothing here runs before simd_dispatch has asked the
// processor.
#ifdef __AVX512F__
#include "kernels/cpu/simd/vec_avx512.h"
// After the Vec it is written over.
#include "kernels/cpu/simd/leaf.h"
#else
#include "kernels/cpu/simd/simd_kernels.h"
#endif

namespace engram::cpu {

const SimdKernels* Avx512Kernels() {
#ifdef __AVX512F__
  static constexpr SimdKernels kKernels = MakeKernels("avx512", SimdLevel::kAvx512);
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace engram::cpu
