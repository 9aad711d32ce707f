// SPDX-License-Identifier: Apache-2.0
// The inner loops for any machine the compiler can target.
#include "kernels/cpu/simd/vec_portable.h"
// After the Vec it is written over.
#include "kernels/cpu/simd/leaf.h"

namespace engram::cpu {

const SimdKernels* PortableKernels() {
  static constexpr SimdKernels kKernels = MakeKernels("portable", SimdLevel::kPortable);
  return &kKernels;
}

}  // namespace engram::cpu
