// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/row_content.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace engram::bench {
namespace {

constexpr std::uint64_t kGamma = 0x9e3779b97f4a7c15;
constexpr int kValuesPerWord = 8;

std::uint64_t Mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t Hash(std::uint64_t key, std::uint64_t index) {
  return Mix(key + (index + 1) * kGamma);
}

// An odd integer of at most 8 bits times a power of two: exact in all three.
std::uint32_t ValueBits(int byte, DType dtype) {
  const float value = static_cast<float>(2 * byte - 255) / 4096;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (dtype == DType::kF32) return bits;
  if (dtype == DType::kBF16) return bits >> 16;
  // binary16: sign, 5 bits of exponent with bias 15, 10 bits of fraction. The smallest magnitude is
  // 2^-12, so none is subnormal.
  return (bits >> 16 & 0x8000) | (((bits & 0x7fffffff) - (112u << 23)) >> 13);
}

// A whole word's values, eight of them, where as many are wanted.
template <typename T>
void FillAs(std::uint64_t row_key, const std::array<std::uint32_t, 256>& values, int first,
            int count, T* out) {
  int v = first;
  const int end = first + count;
  while (v < end) {
    std::uint64_t word = Hash(row_key, static_cast<std::uint64_t>(v / kValuesPerWord));
    word >>= 8 * (v % kValuesPerWord);
    const int word_end = std::min(end, v / kValuesPerWord * kValuesPerWord + kValuesPerWord);
    for (; v < word_end; ++v, word >>= 8) *out++ = static_cast<T>(values[word & 0xff]);
  }
}

}  // namespace

bool CanMakeRows(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16;
}

RowContent::RowContent(std::uint64_t seed, int layer_id, int head_dim, DType dtype)
    : layer_key_(Hash(Mix(seed + kGamma), static_cast<std::uint64_t>(layer_id))),
      head_dim_(head_dim),
      dtype_(dtype),
      row_bytes_(static_cast<std::size_t>(head_dim) * DTypeBytes(dtype)) {
  CHECK(CanMakeRows(dtype));
  CHECK_GT(head_dim, 0);
  for (int byte = 0; byte < 256; ++byte) values_[byte] = ValueBits(byte, dtype);
}

void RowContent::FillValues(std::int64_t row, int first, int count, std::byte* out) const {
  const std::uint64_t row_key = Hash(layer_key_, static_cast<std::uint64_t>(row));
  if (dtype_ == DType::kF32) {
    FillAs(row_key, values_, first, count, reinterpret_cast<std::uint32_t*>(out));
  } else {
    FillAs(row_key, values_, first, count, reinterpret_cast<std::uint16_t*>(out));
  }
}

void RowContent::Fill(std::int64_t offset, std::size_t bytes, std::byte* out) const {
  const std::size_t element = DTypeBytes(dtype_);
  CHECK_EQ(static_cast<std::size_t>(offset) % element, 0u);
  CHECK_EQ(bytes % element, 0u);
  std::int64_t value = offset / static_cast<std::int64_t>(element);
  std::int64_t left = static_cast<std::int64_t>(bytes / element);
  while (left > 0) {
    const auto first = static_cast<int>(value % head_dim_);
    const auto count = static_cast<int>(std::min<std::int64_t>(head_dim_ - first, left));
    FillValues(value / head_dim_, first, count, out);
    out += static_cast<std::size_t>(count) * element;
    value += count;
    left -= count;
  }
}

bool RowContent::IsRow(std::int64_t row, const std::byte* found) const {
  // In pieces that fit on the stack, and are aligned for the widest element.
  constexpr int kPiece = 256;
  alignas(std::uint32_t) std::byte expected[kPiece * sizeof(std::uint32_t)];
  for (int first = 0; first < head_dim_; first += kPiece) {
    const int count = std::min(kPiece, head_dim_ - first);
    FillValues(row, first, count, expected);
    const std::size_t element = DTypeBytes(dtype_);
    if (std::memcmp(expected, found + first * element, count * element) != 0) return false;
  }
  return true;
}

}  // namespace engram::bench
