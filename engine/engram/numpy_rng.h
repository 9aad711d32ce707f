// SPDX-License-Identifier: Apache-2.0
// NumPy's `default_rng(seed).integers(low, high)` bit for bit: SeedSequence, PCG64 and Lemire's
// bounded draw (spec E). The published Engram tables were trained with multipliers drawn this way,
// so a generator that is merely as good would read every row from the wrong place. For nothing
// else: random numbers of the server itself come from base/prng.h.
#pragma once

#include <array>
#include <cstdint>

namespace engram {

// Wide enough for Python's unbounded seed + 10007 · layer.
using UInt128 = unsigned __int128;

// SeedSequence(seed).pool: the seed mixed into four words.
std::array<std::uint32_t, 4> SeedSequencePool(UInt128 seed);

// numpy.random.Generator(PCG64(seed)), as far as `integers` with dtype int64 needs it.
class NumpyGenerator {
 public:
  explicit NumpyGenerator(UInt128 seed);

  std::uint64_t Next64();
  // The halves of one Next64, low one first. A Next64 in between does not disturb the kept half.
  std::uint32_t Next32();

  // Uniform in [low, high). REQUIRES: low < high.
  std::int64_t Integer(std::int64_t low, std::int64_t high);

  UInt128 state() const { return state_; }
  UInt128 increment() const { return increment_; }

 private:
  void Step();

  UInt128 state_ = 0;
  UInt128 increment_ = 0;
  bool has_high_half_ = false;
  std::uint32_t high_half_ = 0;
};

}  // namespace engram
