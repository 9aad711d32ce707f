// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: a draw is a function of (seed, position) and of nothing else, so
// that a request's tokens do not depend on what else runs in its batch, on preemption or on n.
// Philox4x32-10: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC'11.
#pragma once

#include <array>
#include <cstdint>

namespace engram {

// The Philox4x32-10 bijection: four words from a 128-bit counter under a 64-bit key.
std::array<std::uint32_t, 4> Philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// Uniform in [0, 1) with 53 random bits. `stream` separates independent uses of one seed.
double PhiloxUniform(std::uint64_t seed, std::uint64_t position, std::uint64_t stream = 0);

}  // namespace engram
