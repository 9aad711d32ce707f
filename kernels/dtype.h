// SPDX-License-Identifier: Apache-2.0
// Element types and their conversions. Part of the kernels' leaf: includes nothing of ours.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
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

// Round to nearest, ties to even; NaN stays NaN.
constexpr std::uint16_t F32ToBF16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace engram
