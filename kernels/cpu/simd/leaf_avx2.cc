// SPDX-License-Identifier: Apache-2.0
// The inner loops compiled for Avx2; nothing here runs before simd_dispatch has asked the
// processor.
#ifdef __AVX2__
#include "kernels/cpu/simd/vec_avx2.h"
// After the Vec it is written over.
#include "kernels/cpu/simd/leaf.h"
#else
#include "kernels/cpu/simd/simd_kernels.h"
#endif

namespace engram::cpu {

const SimdKernels* Avx2Kernels() {
#ifdef __AVX2__
  static constexpr SimdKernels kKernels = MakeKernels("avx2", SimdLevel::kAvx2);
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace engram::cpu
