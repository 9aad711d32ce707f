// SPDX-License-Identifier: Apache-2.0
// The constants are those of O'Neill's seed_seq_fe and of PCG64 with the XSL-RR output; all
// arithmetic is unsigned and wraps.
#include "engine/engram/numpy_rng.h"

#include <bit>
#include <limits>

#include "base/check.h"

namespace engram {
namespace {

// SeedSequence's hash: its constant changes with each word, so that equal words hash differently.
class WordHash {
 public:
  WordHash(std::uint32_t start, std::uint32_t factor) : constant_(start), factor_(factor) {}

  std::uint32_t operator()(std::uint32_t word) {
    word ^= constant_;
    constant_ *= factor_;
    word *= constant_;
    return word ^ word >> 16;
  }

 private:
  std::uint32_t constant_;
  const std::uint32_t factor_;
};

std::uint32_t Mix(std::uint32_t x, std::uint32_t y) {
  const std::uint32_t mixed = 0xca01f9ddu * x - 0x4973f715u * y;
  return mixed ^ mixed >> 16;
}

// SeedSequence(seed).generate_state(4, uint64).
std::array<std::uint64_t, 4> SeedState(UInt128 seed) {
  const std::array<std::uint32_t, 4> pool = SeedSequencePool(seed);
  WordHash hash(0x8b51f9ddu, 0x58f38dedu);
  std::array<std::uint64_t, 4> state{};
  for (int i = 0; i < 8; ++i) {
    state[i / 2] |= static_cast<std::uint64_t>(hash(pool[i % 4])) << (32 * (i % 2));
  }
  return state;
}

UInt128 Join(std::uint64_t high, std::uint64_t low) {
  return static_cast<UInt128>(high) << 64 | low;
}

// Lemire's bounded draw: the high word of draw · count, redrawn where that would favour small
// values. `Word` is the draw's width, `Wide` twice that.
template <typename Word, typename Wide, typename Draw>
Word BoundedDraw(Word count, Draw draw) {
  Wide product = static_cast<Wide>(draw()) * count;
  if (static_cast<Word>(product) < count) {
    const Word threshold = static_cast<Word>(std::numeric_limits<Word>::max() - count + 1) % count;
    while (static_cast<Word>(product) < threshold) product = static_cast<Wide>(draw()) * count;
  }
  return static_cast<Word>(product >> std::numeric_limits<Word>::digits);
}

}  // namespace

// The pool takes four words and `seed` has no more, so NumPy's loop over further words is not here.
std::array<std::uint32_t, 4> SeedSequencePool(UInt128 seed) {
  WordHash hash(0x43b0d7e5u, 0x931e8875u);
  std::array<std::uint32_t, 4> pool;
  for (int i = 0; i < 4; ++i) pool[i] = hash(static_cast<std::uint32_t>(seed >> (32 * i)));
  for (int source = 0; source < 4; ++source) {
    for (int target = 0; target < 4; ++target) {
      if (target != source) pool[target] = Mix(pool[target], hash(pool[source]));
    }
  }
  return pool;
}

NumpyGenerator::NumpyGenerator(UInt128 seed) {
  const std::array<std::uint64_t, 4> words = SeedState(seed);
  increment_ = Join(words[2], words[3]) << 1 | 1;
  Step();
  state_ += Join(words[0], words[1]);
  Step();
}

void NumpyGenerator::Step() {
  constexpr UInt128 kMultiplier =
      static_cast<UInt128>(0x2360ed051fc65da4) << 64 | 0x4385df649fccf645;
  state_ = state_ * kMultiplier + increment_;
}

std::uint64_t NumpyGenerator::Next64() {
  Step();
  const auto folded = static_cast<std::uint64_t>(state_ >> 64) ^ static_cast<std::uint64_t>(state_);
  return std::rotr(folded, static_cast<int>(state_ >> 122));
}

std::uint32_t NumpyGenerator::Next32() {
  if (has_high_half_) {
    has_high_half_ = false;
    return high_half_;
  }
  const std::uint64_t draw = Next64();
  has_high_half_ = true;
  high_half_ = static_cast<std::uint32_t>(draw >> 32);
  return static_cast<std::uint32_t>(draw);
}

std::int64_t NumpyGenerator::Integer(std::int64_t low, std::int64_t high) {
  CHECK_LT(low, high);
  // Unsigned and wrapping, so that high − low may exceed int64.
  const std::uint64_t base = static_cast<std::uint64_t>(low);
  const std::uint64_t range = static_cast<std::uint64_t>(high) - 1 - base;  // largest offset
  const auto plus = [base](std::uint64_t offset) {
    return static_cast<std::int64_t>(base + offset);
  };
  constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();
  if (range == 0) return low;
  if (range == kMax32) return plus(Next32());
  if (range < kMax32) {
    return plus(BoundedDraw<std::uint32_t, std::uint64_t>(static_cast<std::uint32_t>(range + 1),
                                                          [this] { return Next32(); }));
  }
  // high is exclusive and an int64, so range + 1 cannot wrap.
  return plus(BoundedDraw<std::uint64_t, UInt128>(range + 1, [this] { return Next64(); }));
}

}  // namespace engram
