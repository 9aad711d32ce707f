// SPDX-License-Identifier: Apache-2.0
// Fills memory with random weights, about as fast as memory takes them: several GB are made in
// seconds. An element depends on seed, key and index alone, never on the machine or the number of
// threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/dtype.h"

namespace engram {

// f32, bf16 and f16.
bool CanFillRandom(DType dtype);

class RandomFiller {
 public:
  explicit RandomFiller(std::uint64_t seed);

  // Values around 0, roughly normal (none beyond 3.47 deviations); all ones if the deviation is 0.
  // REQUIRES: CanFillRandom(dtype); `out` is aligned to its elements and holds whole ones.
  void Fill(std::span<std::byte> out, DType dtype, std::uint64_t key,
            float standard_deviation) const;

 private:
  // Normal numbers of deviation 1. Each run of elements is a run of these from a place that the
  // hash of key and run number picks: one hash makes a whole run.
  std::vector<float> pool_;
};

}  // namespace engram
