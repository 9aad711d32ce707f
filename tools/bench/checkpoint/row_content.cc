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
// Of scale 0: beyond the words of all values.
constexpr std::uint64_t kScaleWord = std::uint64_t{1} << 40;

std::uint64_t Mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t Hash(std::uint64_t key, std::uint64_t index) {
  return Mix(key + (index + 1) * kGamma);
}

// An odd integer of at most 8 bits times a power of two: exact in all three.
std::uint32_t FloatBits(int byte, DType dtype) {
  const float value = static_cast<float>(2 * byte - 255) / 4096;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (dtype == DType::kF32) return bits;
  if (dtype == DType::kBF16) return bits >> 16;
  // binary16: sign, 5 bits of exponent with bias 15, 10 bits of fraction. The smallest magnitude is
  // 2^-12, so none is subnormal.
  return (bits >> 16 & 0x8000) | (((bits & 0x7fffffff) - (112u << 23)) >> 13);
}

std::uint32_t ValueBits(int byte, DType dtype) {
  const auto bits = static_cast<std::uint32_t>(byte);
  if (dtype == DType::kI8) return std::max(bits, 1u);
  if (dtype != DType::kF8E4M3) return FloatBits(byte, dtype);
  const std::uint32_t magnitude = bits & 0x7f;
  if (magnitude == 0) return bits | 1;
  return magnitude == 0x7f ? bits - 1 : bits;
}

std::uint32_t ScaleBits(int byte, DType dtype) {
  if (dtype == DType::kE8M0) return 111 + static_cast<std::uint32_t>(byte) % 4;
  return std::bit_cast<std::uint32_t>(static_cast<float>(byte + 1) * 0x1.0p-19f);
}

template <typename BitsOf>
std::array<std::uint32_t, 256> BitsOfAllBytes(DType dtype, const BitsOf& bits_of) {
  std::array<std::uint32_t, 256> bits{};
  for (int byte = 0; byte < 256; ++byte) bits[byte] = bits_of(byte, dtype);
  return bits;
}

// Elements [first, first + count) of a row, each byte of a word one of them. `first_word`: that of
// element 0.
template <typename T>
void FillAs(std::uint64_t row_key, std::uint64_t first_word,
            const std::array<std::uint32_t, 256>& bits, int first, int count, std::byte* out) {
  int v = first;
  const int end = first + count;
  while (v < end) {
    std::uint64_t word = Hash(row_key, first_word + static_cast<std::uint64_t>(v / kValuesPerWord));
    word >>= 8 * (v % kValuesPerWord);
    const int word_end = std::min(end, v / kValuesPerWord * kValuesPerWord + kValuesPerWord);
    for (; v < word_end; ++v, word >>= 8, out += sizeof(T)) {
      const T element = static_cast<T>(bits[word & 0xff]);
      std::memcpy(out, &element, sizeof(T));
    }
  }
}

}  // namespace

EngramRowFormat MadeFormat(DType dtype, int head_dim) {
  EngramRowFormat format = {.dtype = dtype, .head_dim = head_dim};
  if (dtype == DType::kF8E4M3) {
    format.scale_block = 32;
    format.scale_dtype = DType::kE8M0;
  } else if (dtype == DType::kI8) {
    format.scale_block = head_dim;
  }
  return format;
}

bool CanMakeRows(const EngramRowFormat& format) {
  return IsDecodable(format) && format == MadeFormat(format.dtype, format.head_dim);
}

RowContent::RowContent(std::uint64_t seed, int layer_id, const EngramRowFormat& format)
    : layer_key_(Hash(Mix(seed + kGamma), static_cast<std::uint64_t>(layer_id))),
      format_(format),
      values_({.dtype = format.dtype,
               .count = format.head_dim,
               .first_word = 0,
               .bits = BitsOfAllBytes(format.dtype, ValueBits)}),
      scales_({.dtype = format.scale_dtype,
               .count = format.scales(),
               .first_word = kScaleWord,
               .bits = BitsOfAllBytes(format.scale_dtype, ScaleBits)}) {
  CHECK(CanMakeRows(format));
  CHECK_GT(format.head_dim, 0);
}

void RowContent::FillRow(const Part& part, std::int64_t row, int first, int count,
                         std::byte* out) const {
  const std::uint64_t row_key = Hash(layer_key_, static_cast<std::uint64_t>(row));
  switch (DTypeBytes(part.dtype)) {
    case 4:
      return FillAs<std::uint32_t>(row_key, part.first_word, part.bits, first, count, out);
    case 2:
      return FillAs<std::uint16_t>(row_key, part.first_word, part.bits, first, count, out);
    default:
      return FillAs<std::uint8_t>(row_key, part.first_word, part.bits, first, count, out);
  }
}

void RowContent::Fill(const Part& part, std::int64_t offset, std::size_t bytes,
                      std::byte* out) const {
  const std::size_t element = DTypeBytes(part.dtype);
  CHECK_EQ(static_cast<std::size_t>(offset) % element, 0u);
  CHECK_EQ(bytes % element, 0u);
  std::int64_t value = offset / static_cast<std::int64_t>(element);
  std::int64_t left = static_cast<std::int64_t>(bytes / element);
  while (left > 0) {
    const auto first = static_cast<int>(value % part.count);
    const auto count = static_cast<int>(std::min<std::int64_t>(part.count - first, left));
    FillRow(part, value / part.count, first, count, out);
    out += static_cast<std::size_t>(count) * element;
    value += count;
    left -= count;
  }
}

void RowContent::FillValues(std::int64_t offset, std::size_t bytes, std::byte* out) const {
  Fill(values_, offset, bytes, out);
}

void RowContent::FillScales(std::int64_t offset, std::size_t bytes, std::byte* out) const {
  CHECK(format_.scaled());
  Fill(scales_, offset, bytes, out);
}

bool RowContent::IsPart(const Part& part, std::int64_t row, const std::byte* found) const {
  constexpr int kPiece = 256;  // elements that fit on the stack
  std::byte expected[kPiece * sizeof(std::uint32_t)];
  const std::size_t element = DTypeBytes(part.dtype);
  for (int first = 0; first < part.count; first += kPiece) {
    const int count = std::min(kPiece, part.count - first);
    FillRow(part, row, first, count, expected);
    if (std::memcmp(expected, found + first * element, count * element) != 0) return false;
  }
  return true;
}

bool RowContent::IsRow(std::int64_t row, const std::byte* found) const {
  return IsPart(values_, row, found) && IsPart(scales_, row, found + format_.value_bytes());
}

}  // namespace engram::bench
