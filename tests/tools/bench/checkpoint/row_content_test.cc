// SPDX-License-Identifier: Apache-2.0
// The rows' formula against literal values, which a few lines of Python made from the formula in
// row_content.h. Whoever changes the formula makes every generated table on every disk worthless:
// then raise kFormula in table_mark.cc too.
#include "tools/bench/checkpoint/row_content.h"

#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

using ::testing::ElementsAre;

RowContent Content(std::uint64_t seed, int layer, int head_dim, DType dtype) {
  return RowContent(seed, layer, MadeFormat(dtype, head_dim));
}

template <typename T>
std::vector<T> Row(const RowContent& content, std::int64_t row) {
  std::vector<T> values(content.row_bytes() / sizeof(T));
  content.FillValues(row * static_cast<std::int64_t>(content.row_bytes()), content.row_bytes(),
                     reinterpret_cast<std::byte*>(values.data()));
  return values;
}

// The values times 4096.
std::vector<int> Integers(std::uint64_t seed, int layer, std::int64_t row) {
  std::vector<int> integers;
  for (const float value : Row<float>(Content(seed, layer, 10, DType::kF32), row)) {
    integers.push_back(static_cast<int>(value * 4096));
  }
  return integers;
}

TEST(RowContentTest, IsThisFormula) {
  EXPECT_THAT(Integers(0, 1, 0), ElementsAre(-231, 181, 219, 69, 27, -57, 89, -47, -181, -29));
  EXPECT_THAT(Integers(0, 1, 1), ElementsAre(215, 239, 25, -127, -231, 21, 11, -213, -17, 17));
  EXPECT_THAT(Integers(7, 15, 123'456'789'012),
              ElementsAre(-229, 89, -95, 41, 201, -101, 175, -33, -97, -87));
}

TEST(RowContentTest, IsExactInEveryDType) {
  EXPECT_THAT(
      Row<std::uint16_t>(Content(0, 1, 10, DType::kBF16), 0),
      ElementsAre(0xbd67, 0x3d35, 0x3d5b, 0x3c8a, 0x3bd8, 0xbc64, 0x3cb2, 0xbc3c, 0xbd35, 0xbbe8));
  EXPECT_THAT(
      Row<std::uint16_t>(Content(0, 1, 10, DType::kF16), 0),
      ElementsAre(0xab38, 0x29a8, 0x2ad8, 0x2450, 0x1ec0, 0xa320, 0x2590, 0xa1e0, 0xa9a8, 0x9f40));
  const auto f32 = Row<float>(Content(3, 2, 500, DType::kF32), 9);
  const auto bf16 = Row<std::uint16_t>(Content(3, 2, 500, DType::kBF16), 9);
  const auto f16 = Row<std::uint16_t>(Content(3, 2, 500, DType::kF16), 9);
  for (int v = 0; v < 500; ++v) {
    EXPECT_EQ(BF16ToF32(bf16[v]), f32[v]);
    EXPECT_EQ(F16ToF32(f16[v]), f32[v]);
    EXPECT_NE(f32[v], 0.0f);
    EXPECT_LT(std::abs(f32[v]), 0.0625f);
  }
}

// Bytes of the same words; scales from words of their own.
TEST(RowContentTest, QuantizedRowsAreThisFormula) {
  const RowContent f8 = Content(0, 1, 40, DType::kF8E4M3);
  EXPECT_EQ(f8.row_bytes(), 42u);
  std::vector<std::uint8_t> row(42);
  auto* const bytes = reinterpret_cast<std::byte*>(row.data());
  f8.FillValues(0, 40, bytes);
  f8.FillScales(0, 2, bytes + 40);
  // The integers of IsThisFormula, (i + 255) / 2.
  EXPECT_THAT(std::vector<int>(row.begin(), row.begin() + 10),
              ElementsAre(12, 218, 237, 162, 141, 99, 172, 104, 37, 113));
  EXPECT_THAT(std::vector<int>(row.begin() + 40, row.end()), ElementsAre(114, 111));
  EXPECT_TRUE(f8.IsRow(0, bytes));
  EXPECT_FALSE(f8.IsRow(1, bytes));
  row[41] ^= 1;
  EXPECT_FALSE(f8.IsRow(0, bytes)) << "the last scale";

  const RowContent i8 = Content(0, 1, 10, DType::kI8);
  EXPECT_EQ(i8.row_bytes(), 14u);
  float scale = 0;
  i8.FillScales(0, 4, reinterpret_cast<std::byte*>(&scale));
  EXPECT_EQ(scale, 168 / 524288.0f);
}

TEST(RowContentTest, NoQuantizedValueIsZeroOrNaN) {
  for (const DType dtype : {DType::kF8E4M3, DType::kI8}) {
    std::vector<std::byte> row(5000);
    Content(4, 2, 5000, dtype).FillValues(0, row.size(), row.data());
    std::set<float> values;
    for (std::size_t i = 0; i < row.size(); ++i) {
      values.insert(ElementToF32(dtype, row.data(), i));
      ASSERT_FALSE(std::isnan(ElementToF32(dtype, row.data(), i)));
    }
    EXPECT_FALSE(values.contains(0.0f));
    EXPECT_EQ(values.size(), dtype == DType::kI8 ? 255u : 252u);
  }
}

TEST(RowContentTest, PiecesOfATableAreThePiecesOfTheWhole) {
  const RowContent content = Content(5, 3, 12, DType::kBF16);
  constexpr int kRows = 20;
  std::vector<std::uint16_t> whole(kRows * 12);
  content.FillValues(0, whole.size() * 2, reinterpret_cast<std::byte*>(whole.data()));
  for (std::int64_t row = 0; row < kRows; ++row) {
    EXPECT_TRUE(content.IsRow(row, reinterpret_cast<const std::byte*>(&whole[row * 12])));
    EXPECT_FALSE(content.IsRow(row + 1, reinterpret_cast<const std::byte*>(&whole[row * 12])));
  }
  for (std::size_t begin = 0; begin < whole.size(); begin += 7) {
    for (std::size_t end = begin + 1; end <= whole.size(); end += 13) {
      std::vector<std::uint16_t> piece(end - begin);
      content.FillValues(static_cast<std::int64_t>(begin) * 2, piece.size() * 2,
                         reinterpret_cast<std::byte*>(piece.data()));
      ASSERT_EQ(std::memcmp(piece.data(), &whole[begin], piece.size() * 2), 0)
          << begin << " to " << end;
    }
  }
}

TEST(RowContentTest, SeedLayerAndRowEachMatter) {
  std::set<std::vector<int>> rows;
  for (std::uint64_t seed : {0, 1, 2}) {
    for (int layer : {0, 1, 2}) {
      for (std::int64_t row : {0, 1, 2}) rows.insert(Integers(seed, layer, row));
    }
  }
  EXPECT_EQ(rows.size(), 27u);
}

TEST(RowContentTest, OneWrongBitIsNotTheRow) {
  const RowContent content = Content(5, 3, 600, DType::kF32);  // longer than one piece of IsRow
  std::vector<float> row = Row<float>(content, 4);
  auto* bytes = reinterpret_cast<std::byte*>(row.data());
  EXPECT_TRUE(content.IsRow(4, bytes));
  for (const std::size_t at : {std::size_t{0}, std::size_t{1100}, content.row_bytes() - 1}) {
    bytes[at] ^= std::byte{1};
    EXPECT_FALSE(content.IsRow(4, bytes)) << "byte " << at;
    bytes[at] ^= std::byte{1};
  }
}

}  // namespace
}  // namespace engram::bench
