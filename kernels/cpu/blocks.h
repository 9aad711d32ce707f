// SPDX-License-Identifier: Apache-2.0
// Cuts matrix products of any size into the blocks that the inner loops take. Rows are given by
// functions from an index to a pointer, because a caller's rows may be scattered (the tokens of one
// expert, the heads of one token).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cpu/simd/simd_kernels.h"
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

inline WeightKind KindOf(DType dtype) {
  switch (dtype) {
    case DType::kBF16:
      return kWeightBF16;
    case DType::kF16:
      return kWeightF16;
    default:
      return kWeightF32;
  }
}

inline WeightKind KindOf(const Tensor& weight) { return KindOf(weight.dtype); }

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

// The order in which DotRange takes the columns [begin, end). Many rows: as they come. Few rows
// wait for memory, which is read fastest from a few places at a time, each going on for long; so
// the columns of a tile are those of equal, far apart parts of the range.
class ColumnOrder {
 public:
  ColumnOrder(const SimdKernels& simd, std::int64_t rows, std::int64_t begin, std::int64_t end)
      : begin_(begin), parts_(Parts(simd, rows)), part_size_((end - begin) / parts_) {}

  std::int64_t operator[](std::int64_t i) const {
    if (i >= parts_ * part_size_) return begin_ + i;  // what is left at the end
    return begin_ + i % parts_ * part_size_ + i / parts_;
  }

 private:
  static std::int64_t Parts(const SimdKernels& simd, std::int64_t rows) {
    if (rows > kDotRowsMax) return 1;
    return simd.dot_tile_cols[std::min<std::int64_t>(rows, simd.dot_tile_rows) - 1];
  }

  std::int64_t begin_;
  std::int64_t parts_;
  std::int64_t part_size_;
};

// out(r)[c] = ⟨x(r), weight row c⟩ + bias[c] for r < rows and c in [begin, end).
template <typename XRow, typename OutRow>
void DotRange(const SimdKernels& simd, std::int64_t rows, const XRow& x, const OutRow& out,
              const Tensor& weight, const float* bias, std::int64_t begin, std::int64_t end) {
  if (rows == 0) return;
  const ColumnOrder order(simd, rows, begin, end);
  std::int64_t column[kDotColsMax];
  const void* w[kDotColsMax];
  const float* x_rows[kDotRowsMax];
  float* out_rows[kDotRowsMax];
  for (std::int64_t done = 0; done < end - begin; done += kDotColsMax) {
    const int cols = static_cast<int>(std::min<std::int64_t>(kDotColsMax, end - begin - done));
    for (int c = 0; c < cols; ++c) {
      column[c] = order[done + c];
      w[c] = WeightRow(weight, column[c]);
    }
    for (std::int64_t row = 0; row < rows; row += kDotRowsMax) {
      const int count = static_cast<int>(std::min<std::int64_t>(kDotRowsMax, rows - row));
      for (int r = 0; r < count; ++r) {
        x_rows[r] = x(row + r);
        out_rows[r] = out(row + r);
      }
      simd.dot[KindOf(weight)]({.out = out_rows,
                                .x = x_rows,
                                .w = w,
                                .column = column,
                                .bias = bias,
                                .rows = count,
                                .cols = cols,
                                .depth = weight.cols});
    }
  }
}

// out(r) = Σ_p factor(r)[p] · weight row p, for all rows of `weight`.
template <typename FactorRow, typename OutRow>
void AccumulateRange(const SimdKernels& simd, std::int64_t begin, std::int64_t end,
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
      simd.accumulate[KindOf(weight)]({.out = out_rows,
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
