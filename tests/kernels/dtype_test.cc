// SPDX-License-Identifier: Apache-2.0
// Conversions between dtypes, over all 16-bit patterns: the scalar functions against arithmetic,
// and every backend's widening against the scalar functions.
#include "kernels/dtype.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
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

// What PyTorch 2.15 makes of the bytes 0 to 126 as float8_e4m3fn; 127 is NaN, and the sign is the
// highest bit.
constexpr float kE4M3[] = {
    0,        0.001953125, 0.00390625, 0.005859375, 0.0078125, 0.009765625, 0.01171875, 0.013671875,
    0.015625, 0.017578125, 0.01953125, 0.021484375, 0.0234375, 0.025390625, 0.02734375, 0.029296875,
    0.03125,  0.03515625,  0.0390625,  0.04296875,  0.046875,  0.05078125,  0.0546875,  0.05859375,
    0.0625,   0.0703125,   0.078125,   0.0859375,   0.09375,   0.1015625,   0.109375,   0.1171875,
    0.125,    0.140625,    0.15625,    0.171875,    0.1875,    0.203125,    0.21875,    0.234375,
    0.25,     0.28125,     0.3125,     0.34375,     0.375,     0.40625,     0.4375,     0.46875,
    0.5,      0.5625,      0.625,      0.6875,      0.75,      0.8125,      0.875,      0.9375,
    1,        1.125,       1.25,       1.375,       1.5,       1.625,       1.75,       1.875,
    2,        2.25,        2.5,        2.75,        3,         3.25,        3.5,        3.75,
    4,        4.5,         5,          5.5,         6,         6.5,         7,          7.5,
    8,        9,           10,         11,          12,        13,          14,         15,
    16,       18,          20,         22,          24,        26,          28,         30,
    32,       36,          40,         44,          48,        52,          56,         60,
    64,       72,          80,         88,          96,        104,         112,        120,
    128,      144,         160,        176,         192,       208,         224,        240,
    256,      288,         320,        352,         384,       416,         448,
};

TEST(DType, EveryE4M3) {
  for (int bits = 0; bits < 256; ++bits) {
    const bool is_nan = (bits & 127) == 127;
    const double magnitude = is_nan ? std::numeric_limits<double>::quiet_NaN() : kE4M3[bits & 127];
    ExpectMeans(F8E4M3ToF32(static_cast<std::uint8_t>(bits)), bits >> 7 ? -magnitude : magnitude,
                bits);
  }
}

// As PyTorch's float8_e8m0fnu: the smallest is not flushed, and the largest byte is no number.
TEST(DType, EveryE8M0) {
  for (int bits = 0; bits < 255; ++bits) {
    ExpectMeans(E8M0ToF32(static_cast<std::uint8_t>(bits)), std::ldexp(1.0, bits - 127), bits);
  }
  EXPECT_TRUE(std::isnan(E8M0ToF32(255)));
}

TEST(DType, ElementsAtAnyAddress) {
  const unsigned char bytes[] = {0xff, 0x00, 0x00, 0xc0, 0x3f, 0x80, 0xbf, 0x38, 0x80};
  EXPECT_EQ(ElementToF32(DType::kF32, bytes + 1, 0), 1.5f);
  EXPECT_EQ(ElementToF32(DType::kBF16, bytes + 1, 1), 1.5f);
  EXPECT_EQ(ElementToF32(DType::kBF16, bytes + 1, 2), -1.0f);
  EXPECT_EQ(ElementToF32(DType::kF16, bytes + 3, 1), -1.875f);
  EXPECT_EQ(ElementToF32(DType::kI8, bytes, 0), -1.0f);
  EXPECT_EQ(ElementToF32(DType::kI8, bytes, 8), -128.0f);
  EXPECT_EQ(ElementToF32(DType::kF8E4M3, bytes, 7), 1.0f);
  EXPECT_EQ(ElementToF32(DType::kE8M0, bytes, 8), 2.0f);
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
        {}, {.out = out,
             .rows = arrays.U8(rows, 26, std::as_bytes(std::span(patterns)).first(rows * 26)),
             .format = {.dtype = dtype, .head_dim = 13}});
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

// Rows of 256 + 15 values, all codes and an odd end, in blocks of 32 and one of 15, under every
// scale byte: the bits are those of the one product that a value is.
std::vector<std::byte> EveryCode(const EngramRowFormat& format) {
  std::vector<std::byte> rows;
  for (int scale = 0; scale < 256; ++scale) {
    for (int i = 0; i < format.head_dim; ++i) rows.push_back(static_cast<std::byte>(i));
    for (std::size_t i = 0; i < format.scale_bytes(); ++i) {
      rows.push_back(static_cast<std::byte>(scale + i));
    }
  }
  return rows;
}

void ExpectSameBits(float actual, float expected, std::size_t at) {
  ASSERT_EQ(std::bit_cast<std::uint32_t>(actual), std::bit_cast<std::uint32_t>(expected))
      << "value " << at << " is " << actual << ", expected " << expected;
}

TEST_P(Widening, EveryScaledCode) {
  const std::unique_ptr<Backend> backend = GetParam().make();
  Arrays arrays(backend.get());
  for (const DType dtype : {DType::kF8E4M3, DType::kI8}) {
    const EngramRowFormat format = {
        .dtype = dtype, .head_dim = 271, .scale_block = 32, .scale_dtype = DType::kE8M0};
    ASSERT_EQ(format.row_bytes(), 271u + 9u);
    const Tensor out = arrays.F32(128, 2 * 271);  // two rows a token
    backend->EngramDecodeRows(
        {}, {.out = out, .rows = arrays.U8(256, 280, EveryCode(format)), .format = format});
    const std::vector<float> wide = arrays.ReadF32(out);
    for (std::size_t at = 0; at < wide.size(); ++at) {
      const std::size_t i = at % 271;
      const auto code = static_cast<std::uint8_t>(i);
      const auto scale = E8M0ToF32(static_cast<std::uint8_t>(at / 271 + i / 32));
      const float value = dtype == DType::kI8 ? static_cast<std::int8_t>(code) : F8E4M3ToF32(code);
      ExpectSameBits(wide[at], value * scale, at);
    }
  }
}

// One scale a row, of f32 or bf16, which begins at an odd address.
TEST_P(Widening, ScalesOfOtherDTypes) {
  const std::unique_ptr<Backend> backend = GetParam().make();
  Arrays arrays(backend.get());
  for (const DType scale_dtype : {DType::kF32, DType::kBF16}) {
    const EngramRowFormat format = {
        .dtype = DType::kI8, .head_dim = 33, .scale_block = 33, .scale_dtype = scale_dtype};
    std::vector<std::byte> rows;
    std::vector<float> expected;
    for (int row = 0; row < 5; ++row) {
      const float scale = static_cast<float>(row + 1) * 0.25f;
      for (int i = 0; i < 33; ++i) {
        rows.push_back(static_cast<std::byte>(7 * i + row));
        expected.push_back(scale * static_cast<float>(static_cast<std::int8_t>(7 * i + row)));
      }
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(scale);
      const int skipped = scale_dtype == DType::kF32 ? 0 : 2;  // the upper half is the bf16
      for (int i = skipped; i < 4; ++i) rows.push_back(static_cast<std::byte>(bits >> 8 * i));
    }
    const Tensor out = arrays.F32(5, 33);
    backend->EngramDecodeRows(
        {}, {.out = out,
             .rows = arrays.U8(5, static_cast<std::int64_t>(format.row_bytes()), rows),
             .format = format});
    EXPECT_EQ(arrays.ReadF32(out), expected) << DTypeName(scale_dtype);
  }
}

}  // namespace
}  // namespace engram
