// SPDX-License-Identifier: Apache-2.0
// How a row of an Engram table lies in memory, on its way from a table to the layer: its values,
// and, if it is quantized, its scales right behind them, so that one access brings both.
#pragma once

#include <cstddef>

#include "kernels/dtype.h"

namespace engram {

struct EngramRowFormat {
  DType dtype = DType::kBF16;  // of the values: f32, bf16, f16; i8 or f8_e4m3 with scales
  int head_dim = 0;            // values
  int scale_block = 0;  // values that share a scale, the last block may be shorter; 0: no scales
  DType scale_dtype = DType::kF32;  // f32, bf16 or e8m0; without meaning if there are none

  constexpr bool scaled() const { return scale_block > 0; }
  constexpr int scales() const { return scaled() ? (head_dim + scale_block - 1) / scale_block : 0; }
  constexpr std::size_t value_bytes() const {
    return static_cast<std::size_t>(head_dim) * DTypeBytes(dtype);
  }
  constexpr std::size_t scale_bytes() const {
    return static_cast<std::size_t>(scales()) * DTypeBytes(scale_dtype);
  }
  constexpr std::size_t row_bytes() const { return value_bytes() + scale_bytes(); }

  // Rows of the values alone, and of the scales alone.
  constexpr EngramRowFormat ValuesAlone() const { return {.dtype = dtype, .head_dim = head_dim}; }
  constexpr EngramRowFormat ScalesAlone() const {
    return {.dtype = scale_dtype, .head_dim = scales()};
  }

  friend constexpr bool operator==(const EngramRowFormat&, const EngramRowFormat&) = default;
};

// The formats that there are: floats as they are, or small values with scales.
constexpr bool IsDecodable(const EngramRowFormat& format) {
  const DType value = format.dtype;
  if (!format.scaled()) {
    return value == DType::kF32 || value == DType::kBF16 || value == DType::kF16;
  }
  const DType scale = format.scale_dtype;
  return (value == DType::kI8 || value == DType::kF8E4M3) &&
         (scale == DType::kF32 || scale == DType::kBF16 || scale == DType::kE8M0);
}

}  // namespace engram
