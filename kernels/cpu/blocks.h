// SPDX-License-Identifier: Apache-2.0
// Cuts matrix products of any size into the blocks that the inner loops take. Rows are given by
// functions from an index to a pointer, because a caller's rows may be scattered (the tokens of one
// expert, the heads of one token).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cpu/machine.h"
#include "kernels/tensor.h"

namespace engram::cpu {

inline float* F32Row(const Tensor& t, std::int64_t row) { return t.as<float>() + row * t.stride; }

inline std::int32_t* I32Row(const Tensor& t, std::int64_t row) {
  return t.as<std::int32_t>() + row * t.stride;
}

inline const void* WeightRow(const Tensor& t, std::int64_t row) {
  return static_cast<const std::byte*>(t.data) +
         static_cast<std::size_t>(row * t.stride) * DTypeBytes(t.dtype);
}

inline WeightKind KindOf(const Tensor& weight) {
  switch (weight.dtype) {
    case DType::kBF16:
      return kWeightBF16;
    case DType::kF16:
      return kWeightF16;
    default:
      return kWeightF32;
  }
}

// Element `i` of a [1, n] list, checked against what it indexes.
inline std::int64_t IndexAt(const Tensor& list, std::int64_t i, std::int64_t limit) {
  const std::int32_t value = list.as<std::int32_t>()[i];
  CHECK_GE(value, 0);
  CHECK_LT(value, limit);
  return value;
}

// Rows or elements per thread below which a second thread costs more than it saves.
inline std::int64_t RowGrain(std::int64_t floats_per_row) {
  constexpr std::int64_t kFloatsPerThread = 16384;
  return std::max<std::int64_t>(1, kFloatsPerThread / std::max<std::int64_t>(1, floats_per_row));
}

// out(r)[c] = ⟨x(r), weight row c⟩ + bias[c] for r < rows and c in [begin, end).
template <typename XRow, typename OutRow>
void DotRange(Machine& machine, int thread, std::int64_t rows, const XRow& x, const OutRow& out,
              const Tensor& weight, const float* bias, std::int64_t begin, std::int64_t end) {
  const void* w[kDotColsMax];
  const float* x_rows[kDotRowsMax];
  float* out_rows[kDotRowsMax];
  for (std::int64_t col = begin; col < end; col += kDotColsMax) {
    const int cols = static_cast<int>(std::min<std::int64_t>(kDotColsMax, end - col));
    for (int c = 0; c < cols; ++c) w[c] = WeightRow(weight, col + c);
    for (std::int64_t row = 0; row < rows; row += kDotRowsMax) {
      const int count = static_cast<int>(std::min<std::int64_t>(kDotRowsMax, rows - row));
      for (int r = 0; r < count; ++r) {
        x_rows[r] = x(row + r);
        out_rows[r] = out(row + r) + col;
      }
      machine.simd->dot[KindOf(weight)]({.out = out_rows,
                                         .x = x_rows,
                                         .w = w,
                                         .bias = bias == nullptr ? nullptr : bias + col,
                                         .sums = machine.sums[thread].Get<float>(kDotSumsFloats),
                                         .rows = count,
                                         .cols = cols,
                                         .depth = weight.cols});
    }
  }
}

// out(r) = Σ_p factor(r)[p] · weight row p, for all rows of `weight`.
template <typename FactorRow, typename OutRow>
void AccumulateRange(Machine& machine, std::int64_t begin, std::int64_t end,
                     const FactorRow& factor, const OutRow& out, const Tensor& weight) {
  constexpr int kDepthMax = 64;
  static constexpr auto kOnes = [] {
    std::array<float, kDotRowsMax> ones;
    ones.fill(1.0f);
    return ones;
  }();
  const void* w[kDepthMax];
  const float* factor_rows[kDotRowsMax];
  float* out_rows[kDotRowsMax];
  for (std::int64_t depth = 0; depth < weight.rows; depth += kDepthMax) {
    const int terms = static_cast<int>(std::min<std::int64_t>(kDepthMax, weight.rows - depth));
    for (int p = 0; p < terms; ++p) w[p] = WeightRow(weight, depth + p);
    for (std::int64_t row = begin; row < end; row += kDotRowsMax) {
      const int count = static_cast<int>(std::min<std::int64_t>(kDotRowsMax, end - row));
      for (int r = 0; r < count; ++r) {
        factor_rows[r] = factor(row + r) + depth;
        out_rows[r] = out(row + r);
      }
      machine.simd->accumulate[KindOf(weight)]({.out = out_rows,
                                                .keep = depth == 0 ? nullptr : kOnes.data(),
                                                .factor = factor_rows,
                                                .w = w,
                                                .rows = count,
                                                .depth = terms,
                                                .cols = weight.cols});
    }
  }
}

}  // namespace engram::cpu
