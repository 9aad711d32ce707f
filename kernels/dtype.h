// SPDX-License-Identifier: Apache-2.0
// Element types and their conversions. Part of the kernels' leaf: includes nothing of ours.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

namespace engram {

enum class DType : std::uint8_t { kF32, kBF16, kF16, kF8E4M3, kE8M0, kI32, kI64, kU8, kI8 };

constexpr std::size_t DTypeBytes(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBF16:
    case DType::kF16:
      return 2;
    case DType::kI64:
      return 8;
    default:
      return 1;
  }
}

constexpr std::string_view DTypeName(DType dtype) {
  constexpr std::string_view kNames[] = {"f32", "bf16", "f16", "f8_e4m3", "e8m0",
                                         "i32", "i64",  "u8",  "i8"};
  return kNames[static_cast<int>(dtype)];
}

constexpr float BF16ToF32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// IEEE binary16, subnormals, infinities and NaN included.
constexpr float F16ToF32(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31;
  const std::uint32_t fraction = bits & 0x3ff;
  if (exponent == 0) {  // zero or subnormal: fraction · 2^−24
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  const std::uint32_t rebased = exponent == 31 ? 255u : exponent + (127 - 15);
  return std::bit_cast<float>(sign | rebased << 23 | fraction << 13);
}

// Sign, 4 bits of exponent (bias 7), 3 of fraction; no infinities: the largest number is 448, and
// what would be 480 is NaN.
constexpr float F8E4M3ToF32(std::uint8_t bits) {
  const std::uint32_t magnitude = bits & 0x7f;
  if (magnitude == 0x7f) return std::numeric_limits<float>::quiet_NaN();
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80) << 24;
  if (magnitude < 8) {  // zero or subnormal: fraction · 2^−9
    const float value = static_cast<float>(magnitude) * 0x1.0p-9f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((magnitude << 20) + ((127u - 7) << 23)));
}

// A power of two from its exponent alone: 2^(bits − 127), the smallest a subnormal; 255 is NaN.
constexpr float E8M0ToF32(std::uint8_t bits) {
  if (bits == 255) return std::numeric_limits<float>::quiet_NaN();
  if (bits == 0) return 0x1.0p-127f;
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 23);
}

// Round to nearest, ties to even; NaN stays NaN.
constexpr std::uint16_t F32ToBF16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Whether a value of the dtype is a number that ElementToF32 gives exactly.
constexpr bool IsF32Exact(DType dtype) {
  return dtype != DType::kI32 && dtype != DType::kI64 && dtype != DType::kU8;
}

// Element `index` of an array that may begin at any address. REQUIRES: IsF32Exact(dtype); others
// give NaN.
inline float ElementToF32(DType dtype, const void* elements, std::size_t index) {
  const std::size_t size = DTypeBytes(dtype);
  const auto* const from = static_cast<const std::byte*>(elements) + index * size;
  std::uint32_t bits = 0;
  std::memcpy(&bits, from, size < sizeof(bits) ? size : sizeof(bits));  // little-endian
  switch (dtype) {
    case DType::kF32:
      return std::bit_cast<float>(bits);
    case DType::kBF16:
      return BF16ToF32(static_cast<std::uint16_t>(bits));
    case DType::kF16:
      return F16ToF32(static_cast<std::uint16_t>(bits));
    case DType::kF8E4M3:
      return F8E4M3ToF32(static_cast<std::uint8_t>(bits));
    case DType::kE8M0:
      return E8M0ToF32(static_cast<std::uint8_t>(bits));
    case DType::kI8:
      return static_cast<std::int8_t>(bits);
    default:
      return std::numeric_limits<float>::quiet_NaN();
  }
}

}  // namespace engram
