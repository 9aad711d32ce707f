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

template <typename T>
std::vector<T> Row(const RowContent& content, std::int64_t row) {
  std::vector<T> values(content.row_bytes() / sizeof(T));
  content.Fill(row * static_cast<std::int64_t>(content.row_bytes()), content.row_bytes(),
               reinterpret_cast<std::byte*>(values.data()));
  return values;
}

// The values times 4096.
std::vector<int> Integers(std::uint64_t seed, int layer, std::int64_t row) {
  std::vector<int> integers;
  for (const float value : Row<float>(RowContent(seed, layer, 10, DType::kF32), row)) {
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
      Row<std::uint16_t>(RowContent(0, 1, 10, DType::kBF16), 0),
      ElementsAre(0xbd67, 0x3d35, 0x3d5b, 0x3c8a, 0x3bd8, 0xbc64, 0x3cb2, 0xbc3c, 0xbd35, 0xbbe8));
  EXPECT_THAT(
      Row<std::uint16_t>(RowContent(0, 1, 10, DType::kF16), 0),
      ElementsAre(0xab38, 0x29a8, 0x2ad8, 0x2450, 0x1ec0, 0xa320, 0x2590, 0xa1e0, 0xa9a8, 0x9f40));
  const auto f32 = Row<float>(RowContent(3, 2, 500, DType::kF32), 9);
  const auto bf16 = Row<std::uint16_t>(RowContent(3, 2, 500, DType::kBF16), 9);
  const auto f16 = Row<std::uint16_t>(RowContent(3, 2, 500, DType::kF16), 9);
  for (int v = 0; v < 500; ++v) {
    EXPECT_EQ(BF16ToF32(bf16[v]), f32[v]);
    EXPECT_EQ(F16ToF32(f16[v]), f32[v]);
    EXPECT_NE(f32[v], 0.0f);
    EXPECT_LT(std::abs(f32[v]), 0.0625f);
  }
}

TEST(RowContentTest, PiecesOfATableAreThePiecesOfTheWhole) {
  const RowContent content(5, 3, 12, DType::kBF16);
  constexpr int kRows = 20;
  std::vector<std::uint16_t> whole(kRows * 12);
  content.Fill(0, whole.size() * 2, reinterpret_cast<std::byte*>(whole.data()));
  for (std::int64_t row = 0; row < kRows; ++row) {
    EXPECT_TRUE(content.IsRow(row, reinterpret_cast<const std::byte*>(&whole[row * 12])));
    EXPECT_FALSE(content.IsRow(row + 1, reinterpret_cast<const std::byte*>(&whole[row * 12])));
  }
  for (std::size_t begin = 0; begin < whole.size(); begin += 7) {
    for (std::size_t end = begin + 1; end <= whole.size(); end += 13) {
      std::vector<std::uint16_t> piece(end - begin);
      content.Fill(static_cast<std::int64_t>(begin) * 2, piece.size() * 2,
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
  const RowContent content(5, 3, 600, DType::kF32);  // longer than one piece of IsRow
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
