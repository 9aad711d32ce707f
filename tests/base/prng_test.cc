// SPDX-License-Identifier: Apache-2.0
#include "base/prng.h"

#include <array>

#include "gtest/gtest.h"

namespace engram {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known-answer vectors of Random123's kat_vectors for philox4x32-10.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformIsInRangeAndNearlyFlat) {
  double sum = 0;
  for (int i = 0; i < 1000000; ++i) {
    const double u = PhiloxUniform(7, i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 1000000, 0.5, 0.0015);
}

TEST(Philox, SeedPositionAndStreamEachChangeTheDraw) {
  EXPECT_NE(PhiloxUniform(1, 0), PhiloxUniform(2, 0));
  EXPECT_NE(PhiloxUniform(1, 0), PhiloxUniform(1, 1));
  EXPECT_NE(PhiloxUniform(1, 0, 0), PhiloxUniform(1, 0, 1));
}

}  // namespace
}  // namespace engram
