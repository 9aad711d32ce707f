// SPDX-License-Identifier: Apache-2.0
// Conversions between dtypes, over all 16-bit patterns: the scalar functions against arithmetic,
// and every backend's widening against the scalar functions.
#include "kernels/dtype.h"

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "tests/kernels/arrays.h"
#include "tests/kernels/backends.h"

namespace engram {
namespace {

using testing_support::Arrays;

constexpr int kPatterns = 1 << 16;

// What the bits mean: sign, `exponent_bits` of exponent, the rest fraction.
double Meaning(int bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  const double significand = fraction + (exponent == 0 ? 0 : 1 << fraction_bits);
  return sign * std::ldexp(significand, std::max(exponent, 1) - bias - fraction_bits);
}

void ExpectMeans(float actual, double meaning, int bits) {
  if (std::isnan(meaning)) {
    ASSERT_TRUE(std::isnan(actual)) << bits;
  } else {
    ASSERT_EQ(actual, meaning) << bits;
    ASSERT_EQ(std::signbit(actual), std::signbit(meaning)) << bits;
  }
}

TEST(DType, EveryBF16) {
  for (int bits = 0; bits < kPatterns; ++bits) {
    ExpectMeans(BF16ToF32(static_cast<std::uint16_t>(bits)), Meaning(bits, 8), bits);
  }
}

TEST(DType, EveryF16) {
  for (int bits = 0; bits < kPatterns; ++bits) {
    ExpectMeans(F16ToF32(static_cast<std::uint16_t>(bits)), Meaning(bits, 5), bits);
  }
}

TEST(DType, BF16ThereAndBack) {
  for (int bits = 0; bits < kPatterns; ++bits) {
    const float value = BF16ToF32(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(BF16ToF32(F32ToBF16(value))));
    } else {
      EXPECT_EQ(F32ToBF16(value), bits);
    }
  }
}

// Between two neighbours: to the nearer one, the half way to the even one.
TEST(DType, BF16RoundsToNearestEven) {
  for (int bits = 0; bits < 0x7f7f; ++bits) {  // all finite positive numbers but the last
    const std::uint32_t low = static_cast<std::uint32_t>(bits) << 16;
    EXPECT_EQ(F32ToBF16(std::bit_cast<float>(low | 0x7fff)), bits);
    EXPECT_EQ(F32ToBF16(std::bit_cast<float>(low | 0x8001)), bits + 1);
    EXPECT_EQ(F32ToBF16(std::bit_cast<float>(low | 0x8000)), bits + (bits & 1));
    EXPECT_EQ(F32ToBF16(std::bit_cast<float>(low | 0x80008000)), 0x8000 | (bits + (bits & 1)));
  }
  EXPECT_EQ(F32ToBF16(std::numeric_limits<float>::max()), 0x7f80);  // infinity
}

TEST(DType, NamesAndSizes) {
  EXPECT_EQ(DTypeName(DType::kBF16), "bf16");
  EXPECT_EQ(DTypeName(DType::kI8), "i8");
  EXPECT_EQ(DTypeBytes(DType::kF32), 4u);
  EXPECT_EQ(DTypeBytes(DType::kF16), 2u);
  EXPECT_EQ(DTypeBytes(DType::kI64), 8u);
  EXPECT_EQ(DTypeBytes(DType::kF8E4M3), 1u);
}

class Widening : public ::testing::TestWithParam<testing_support::BackendCase> {};

INSTANTIATE_TEST_SUITE_P(Backends, Widening, ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

TEST_P(Widening, EveryPattern) {
  const std::unique_ptr<Backend> backend = GetParam().make();
  Arrays arrays(backend.get());
  std::vector<std::uint16_t> patterns(kPatterns);
  for (int bits = 0; bits < kPatterns; ++bits) patterns[bits] = static_cast<std::uint16_t>(bits);
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    // 13 columns: a few whole vectors and an odd end.
    const std::int64_t rows = kPatterns / 13;
    const Tensor out = arrays.F32(rows, 13);
    backend->EngramDecodeRows(
        {},
        {.out = out, .rows = backend->PlaceWeight(MakeTensor(patterns.data(), dtype, rows, 13))});
    const std::vector<float> small =
        arrays.ReadF32(backend->PlaceF32(MakeTensor(patterns.data(), dtype, 1, kPatterns)));
    const std::vector<float> wide = arrays.ReadF32(out);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      const float expected = dtype == DType::kBF16 ? BF16ToF32(patterns[i]) : F16ToF32(patterns[i]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(wide[i]) && std::isnan(small[i])) << i;
      } else {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(wide[i]), std::bit_cast<std::uint32_t>(expected))
            << i;
        ASSERT_EQ(small[i], expected) << i;
      }
    }
  }
}

}  // namespace
}  // namespace engram
