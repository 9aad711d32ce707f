// SPDX-License-Identifier: Apache-2.0
// Which of the instruction sets this program was built for the processor has.
#pragma once

#include <vector>

#include "kernels/cpu/simd/simd_kernels.h"

namespace engram::cpu {

// What runs here, slowest first; never empty.
std::vector<const SimdKernels*> KernelsOfThisMachine();

}  // namespace engram::cpu
