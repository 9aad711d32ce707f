// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/random_fill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace engram {
namespace {

using testing::Each;

constexpr std::uint64_t kSeed = 11;

std::vector<float> Floats(std::size_t count, std::uint64_t key, float deviation,
                          std::uint64_t seed = kSeed) {
  std::vector<float> out(count);
  RandomFiller(seed).Fill(std::as_writable_bytes(std::span(out)), DType::kF32, key, deviation);
  return out;
}

std::vector<std::uint16_t> Halves(std::size_t count, DType dtype, float deviation) {
  std::vector<std::uint16_t> out(count);
  RandomFiller(kSeed).Fill(std::as_writable_bytes(std::span(out)), dtype, 5, deviation);
  return out;
}

TEST(RandomFillTest, ValuesAreRoughlyNormal) {
  const std::vector<float> values = Floats(1 << 20, 5, 0.02f);
  double sum = 0, squares = 0, largest = 0;
  int inside = 0;  // one deviation
  for (const float value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
    largest = std::max(largest, std::fabs(static_cast<double>(value)));
    if (std::fabs(value) < 0.02f) ++inside;
  }
  const double count = static_cast<double>(values.size());
  EXPECT_NEAR(sum / count, 0, 3e-4);
  EXPECT_NEAR(std::sqrt(squares / count), 0.02, 3e-4);
  EXPECT_NEAR(inside / count, 0.68, 0.02);
  EXPECT_LT(largest, 0.02 * 3.47);
  EXPECT_GT(largest, 0.02 * 3);
}

TEST(RandomFillTest, AnElementDependsOnlyOnItsIndexSeedAndKey) {
  // Long enough for several threads, and lengths that are no multiple of a run.
  const std::vector<float> longer = Floats((1 << 22) + 77, 5, 0.02f);
  const std::vector<float> shorter = Floats(1000, 5, 0.02f);
  EXPECT_EQ(std::vector<float>(longer.begin(), longer.begin() + 1000), shorter);
  EXPECT_NE(Floats(1000, 6, 0.02f), shorter);
  EXPECT_NE(Floats(1000, 5, 0.02f, kSeed + 1), shorter);
}

TEST(RandomFillTest, TheSameOnEveryMachine) {
  // Computed from the definition by another program, in another language.
  const std::vector<float> values = Floats(1001, 5, 1.0f);
  EXPECT_EQ(values[0], -0x1.4b6ad6p-3f);
  EXPECT_EQ(values[1], -0x1.9f45e4p-1f);
  EXPECT_EQ(values[1000], -0x1.4773dcp+1f);
}

TEST(RandomFillTest, NarrowTypesAreTheRoundedFloats) {
  // From normal numbers down to f16's subnormal ones.
  for (const float deviation : {1.0f, 0.02f, 1e-4f, 1e-6f}) {
    const std::vector<float> floats = Floats(4096, 5, deviation);
    const std::vector<std::uint16_t> bf16 = Halves(4096, DType::kBF16, deviation);
    const std::vector<std::uint16_t> f16 = Halves(4096, DType::kF16, deviation);
    for (std::size_t i = 0; i < floats.size(); ++i) {
      ASSERT_EQ(bf16[i], F32ToBF16(floats[i]));
      // Half a unit in the last place: 2^−11 of the value, or 2^−25 among the subnormal numbers.
      const float tolerance = std::max(std::fabs(floats[i]) * 0x1p-11f, 0x1p-25f);
      ASSERT_NEAR(F16ToF32(f16[i]), floats[i], tolerance);
    }
  }
}

TEST(RandomFillTest, F16IsTheNearest) {
  for (const float deviation : {0.3f, 1e-5f}) {
    const std::vector<float> floats = Floats(4096, 5, deviation);
    const std::vector<std::uint16_t> f16 = Halves(4096, DType::kF16, deviation);
    for (std::size_t i = 0; i < floats.size(); ++i) {
      const float here = std::fabs(F16ToF32(f16[i]) - floats[i]);
      EXPECT_LE(here, std::fabs(F16ToF32(f16[i] + 1) - floats[i]));
      if ((f16[i] & 0x7fff) != 0) {
        EXPECT_LE(here, std::fabs(F16ToF32(f16[i] - 1) - floats[i]));
      }
    }
  }
}

TEST(RandomFillTest, DeviationZeroIsAllOnes) {
  EXPECT_THAT(Floats(1000, 5, 0), Each(1.0f));
  EXPECT_THAT(Halves(1000, DType::kBF16, 0), Each(0x3f80));
  EXPECT_THAT(Halves(1000, DType::kF16, 0), Each(0x3c00));
}

TEST(RandomFillTest, KnowsWhatItCanMake) {
  EXPECT_TRUE(CanFillRandom(DType::kF16));
  EXPECT_FALSE(CanFillRandom(DType::kF8E4M3));
  EXPECT_FALSE(CanFillRandom(DType::kI32));
}

}  // namespace
}  // namespace engram
