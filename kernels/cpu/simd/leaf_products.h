// SPDX-License-Identifier: Apache-2.0
// The matrix products' inner loops. Part of a leaf: see leaf.h.
#pragma once

#include <cstdint>

#include "kernels/cpu/simd/lanes.h"
#include "kernels/cpu/simd/simd_kernels.h"

namespace engram::cpu {
namespace {

constexpr int kTileRows = sizeof(kTileCols) / sizeof(kTileCols[0]);
// How far ahead weights that come from memory are asked for. The processor's own prefetch starts
// anew at every row, and it is the rows of a few weights that a decode step waits for.
constexpr int kPrefetchBytes = 256;

// ---- out = x · wᵀ ------------------------------------------------------------------------------

// A kRows × kCols tile of a DotBlock. One vector accumulator per product, lanes along the depth,
// whatever the tile's shape: that is the order of the sum. The depth is not cut into blocks that
// would fit the first cache: the second keeps up, and spilled accumulators cost more (measured).
template <typename W, int kRows, int kCols, bool kPrefetch>
void DotTile(const DotBlock& block, int row, int col) {
  const float* x[kRows];
  const typename W::Element* w[kCols];
  Vec acc[kRows][kCols];
  for (int c = 0; c < kCols; ++c) {
    w[c] = static_cast<const typename W::Element*>(block.w[col + c]);
  }
  for (int r = 0; r < kRows; ++r) {
    x[r] = block.x[row + r];
    for (int c = 0; c < kCols; ++c) acc[r][c] = Set(0);
  }
  std::int64_t k = 0;
  for (; k + kLanes <= block.depth; k += kLanes) {
    Vec weight[kCols];
    for (int c = 0; c < kCols; ++c) {
      weight[c] = W::Widen(w[c] + k);
      if constexpr (kPrefetch) {
        __builtin_prefetch(reinterpret_cast<const char*>(w[c] + k) + kPrefetchBytes);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const Vec input = Load(x[r] + k);
      for (int c = 0; c < kCols; ++c) acc[r][c] = MulAdd(input, weight[c], acc[r][c]);
    }
  }
  if (k < block.depth) {
    const int lanes = static_cast<int>(block.depth - k);
    for (int c = 0; c < kCols; ++c) {
      const Vec weight = Widen<W>(w[c] + k, lanes);
      for (int r = 0; r < kRows; ++r) acc[r][c] = MulAdd(Load(x[r] + k, lanes), weight, acc[r][c]);
    }
  }
  for (int c = 0; c < kCols; ++c) {
    const std::int64_t column = block.column[col + c];
    const float bias = block.bias == nullptr ? 0.0f : block.bias[column];
    for (int r = 0; r < kRows; ++r) block.out[row + r][column] = Sum(acc[r][c]) + bias;
  }
}

template <typename W, int kRows, bool kPrefetch>
void DotRows(const DotBlock& block, int row) {
  constexpr int kCols = kTileCols[kRows - 1];
  int col = 0;
  for (; col + kCols <= block.cols; col += kCols) {
    DotTile<W, kRows, kCols, kPrefetch>(block, row, col);
  }
  for (; col < block.cols; ++col) DotTile<W, kRows, 1, kPrefetch>(block, row, col);
}

// Rows [row, block.rows), kRows at a time, then what is left with the smaller tiles. The first tile
// brings the weights from memory, the others find them in the cache.
template <typename W, int kRows>
void DotRowsFrom(const DotBlock& block, int row) {
  if (row == 0 && kRows <= block.rows) {
    DotRows<W, kRows, true>(block, row);
    row = kRows;
  }
  for (; row + kRows <= block.rows; row += kRows) DotRows<W, kRows, false>(block, row);
  if constexpr (kRows > 1) DotRowsFrom<W, kRows - 1>(block, row);
}

template <typename W>
void Dot(const DotBlock& block) {
  DotRowsFrom<W, kTileRows>(block, 0);
}

// ---- out += factor · w ----

template <typename W, int kRows, int kVecs>
void AccumulateTile(const AccumulateBlock& block, int row, std::int64_t col) {
  Vec acc[kRows][kVecs];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVecs; ++v) {
      acc[r][v] = Set(0);
      if (block.keep != nullptr) {
        acc[r][v] = Load(block.out[row + r] + col + v * kLanes) * Set(block.keep[row + r]);
      }
    }
  }
  for (int p = 0; p < block.depth; ++p) {
    const auto* w = static_cast<const typename W::Element*>(block.w[p]) + col;
    Vec weight[kVecs];
    for (int v = 0; v < kVecs; ++v) weight[v] = W::Widen(w + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const Vec factor = Set(block.factor[row + r][p]);
      for (int v = 0; v < kVecs; ++v) acc[r][v] = MulAdd(factor, weight[v], acc[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVecs; ++v) Store(block.out[row + r] + col + v * kLanes, acc[r][v]);
  }
}

// The last, incomplete vector of one row.
template <typename W>
void AccumulateEnd(const AccumulateBlock& block, int row, std::int64_t col) {
  const int lanes = static_cast<int>(block.cols - col);
  float* out = block.out[row] + col;
  Vec acc = Set(0);
  if (block.keep != nullptr) acc = Load(out, lanes) * Set(block.keep[row]);
  for (int p = 0; p < block.depth; ++p) {
    const auto* w = static_cast<const typename W::Element*>(block.w[p]) + col;
    acc = MulAdd(Set(block.factor[row][p]), Widen<W>(w, lanes), acc);
  }
  Store(out, acc, lanes);
}

template <typename W, int kRows>
void AccumulateRows(const AccumulateBlock& block, int row) {
  std::int64_t col = 0;
  for (; col + 2 * kLanes <= block.cols; col += 2 * kLanes) {
    AccumulateTile<W, kRows, 2>(block, row, col);
  }
  if (col + kLanes <= block.cols) {
    AccumulateTile<W, kRows, 1>(block, row, col);
    col += kLanes;
  }
  if (col == block.cols) return;
  for (int r = 0; r < kRows; ++r) AccumulateEnd<W>(block, row + r, col);
}

template <typename W>
void Accumulate(const AccumulateBlock& block) {
  int row = 0;
  for (; row + 4 <= block.rows; row += 4) AccumulateRows<W, 4>(block, row);
  for (; row < block.rows; ++row) AccumulateRows<W, 1>(block, row);
}

}  // namespace
}  // namespace engram::cpu
