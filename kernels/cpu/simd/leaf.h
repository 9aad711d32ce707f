// SPDX-License-Identifier: Apache-2.0
// The inner loops themselves, written once over Vec. A leaf_*.cc includes its vec_*.h and then this
// file; everything has internal linkage, see simd_kernels.h.
#pragma once

#include <cstdint>

#include "kernels/cpu/simd/simd_kernels.h"

namespace engram::cpu {
namespace {

constexpr int kTileRows = sizeof(kTileCols) / sizeof(kTileCols[0]);
// Terms of a dot product between two visits of its block's other tiles: the x of one tile
// (kTileRows · kDepthBlock floats, 16 to 24 KiB) stays in the L1 cache.
constexpr std::int64_t kDepthBlock = 1024;

// ---- Weights as vectors ------------------------------------------------------------------------

struct F32 {
  using Element = float;
  static Vec Widen(const float* p) { return Load(p); }
};
struct BF16 {
  using Element = std::uint16_t;
  static Vec Widen(const std::uint16_t* p) { return LoadBF16(p); }
};
struct F16 {
  using Element = std::uint16_t;
  static Vec Widen(const std::uint16_t* p) { return LoadF16(p); }
};

// The first `count` lanes, the others 0.
template <typename W>
Vec Widen(const typename W::Element* p, int count) {
  typename W::Element padded[kLanes] = {};
  for (int i = 0; i < count; ++i) padded[i] = p[i];
  return W::Widen(padded);
}

// Calls body(i, lanes) for i = 0, kLanes, … below count; `lanes` is less than kLanes at the end.
template <typename Body>
inline void ForLanes(std::int64_t count, const Body& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) body(i, kLanes);
  if (i < count) body(i, static_cast<int>(count - i));
}

inline Vec LoadLanes(const float* p, int lanes) {
  return lanes == kLanes ? Load(p) : Load(p, lanes);
}

inline void StoreLanes(float* p, Vec x, int lanes) {
  lanes == kLanes ? Store(p, x) : Store(p, x, lanes);
}

// ---- out = x · wᵀ ------------------------------------------------------------------------------

// A kRows × kCols tile of a DotBlock: terms [begin, end) of each product. One vector accumulator
// per product, lanes along the depth, whatever the tile's shape: that is the order of the sum.
template <typename W, int kRows, int kCols>
void DotTile(const DotBlock& block, int row, int col, std::int64_t begin, std::int64_t end) {
  const float* x[kRows];
  const typename W::Element* w[kCols];
  Vec acc[kRows][kCols];
  for (int r = 0; r < kRows; ++r) x[r] = block.x[row + r];
  for (int c = 0; c < kCols; ++c) {
    w[c] = static_cast<const typename W::Element*>(block.w[col + c]);
  }
  float* sums = block.sums + (row * kDotColsMax + col) * kLanes;
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kCols; ++c) {
      acc[r][c] = begin == 0 ? Set(0) : Load(sums + (r * kDotColsMax + c) * kLanes);
    }
  }
  std::int64_t k = begin;
  for (; k + kLanes <= end; k += kLanes) {
    Vec weight[kCols];
    for (int c = 0; c < kCols; ++c) weight[c] = W::Widen(w[c] + k);
    for (int r = 0; r < kRows; ++r) {
      const Vec input = Load(x[r] + k);
      for (int c = 0; c < kCols; ++c) acc[r][c] = MulAdd(input, weight[c], acc[r][c]);
    }
  }
  if (k < end) {
    const int lanes = static_cast<int>(end - k);
    for (int c = 0; c < kCols; ++c) {
      const Vec weight = Widen<W>(w[c] + k, lanes);
      for (int r = 0; r < kRows; ++r) acc[r][c] = MulAdd(Load(x[r] + k, lanes), weight, acc[r][c]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kCols; ++c) {
      if (end < block.depth) {
        Store(sums + (r * kDotColsMax + c) * kLanes, acc[r][c]);
      } else {
        const float bias = block.bias == nullptr ? 0.0f : block.bias[col + c];
        block.out[row + r][col + c] = Sum(acc[r][c]) + bias;
      }
    }
  }
}

template <typename W, int kRows>
void DotRows(const DotBlock& block, int row, std::int64_t begin, std::int64_t end) {
  constexpr int kCols = kTileCols[kRows - 1];
  int col = 0;
  for (; col + kCols <= block.cols; col += kCols) {
    DotTile<W, kRows, kCols>(block, row, col, begin, end);
  }
  for (; col < block.cols; ++col) DotTile<W, kRows, 1>(block, row, col, begin, end);
}

// Rows [row, block.rows), kRows at a time, then what is left with the smaller tiles.
template <typename W, int kRows>
void DotAllRows(const DotBlock& block, int row, std::int64_t begin, std::int64_t end) {
  for (; row + kRows <= block.rows; row += kRows) DotRows<W, kRows>(block, row, begin, end);
  if constexpr (kRows > 1) DotAllRows<W, kRows - 1>(block, row, begin, end);
}

template <typename W>
void Dot(const DotBlock& block) {
  // With one tile of rows each weight is read once: better straight through than in blocks.
  const std::int64_t step = block.rows <= kTileRows ? block.depth : kDepthBlock;
  for (std::int64_t begin = 0; begin < block.depth; begin += step) {
    const std::int64_t end = begin + step < block.depth ? begin + step : block.depth;
    DotAllRows<W, kTileRows>(block, 0, begin, end);
  }
}

// ---- out += factor · w -------------------------------------------------------------------------

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

// ---- Element by element ------------------------------------------------------------------------

template <typename W>
void WidenAll(float* out, const void* in, std::int64_t count) {
  const auto* p = static_cast<const typename W::Element*>(in);
  ForLanes(count, [&](std::int64_t i, int lanes) {
    StoreLanes(out + i, lanes == kLanes ? W::Widen(p + i) : Widen<W>(p + i, lanes), lanes);
  });
}

// e^x within 2 units in the last place; below e^−87 and above e^88 it stays there. NaN passes.
inline Vec Exp(Vec x) {
  x = Min(Set(88.0f), Max(Set(-87.0f), x));
  const Vec n = Round(x * Set(0x1.715476p+0f));  // 1 / ln 2
  // ln 2 in two parts, the first short enough for n · it to be exact.
  Vec r = MulAdd(n, Set(-0x1.62e4p-1f), x);
  r = MulAdd(n, Set(-0x1.7f7d1cp-20f), r);
  // Taylor's series up to r⁷; |r| ≤ ln 2 / 2, so that the next term is below 6e−9.
  constexpr float kInverseFactorials[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1, 1};
  Vec sum = Set(1.0f / 5040);
  for (const float coefficient : kInverseFactorials) sum = MulAdd(sum, r, Set(coefficient));
  return sum * PowerOfTwo(n);
}

inline Vec Silu(Vec x) { return x / (Set(1) + Exp(Set(0) - x)); }

float SumSquares(const float* x, std::int64_t count) {
  Vec sum = Set(0);
  ForLanes(count, [&](std::int64_t i, int lanes) {
    const Vec v = LoadLanes(x + i, lanes);
    sum = MulAdd(v, v, sum);
  });
  return Sum(sum);
}

void Scale(float* out, const float* x, const float* weight, float factor, std::int64_t count) {
  const Vec scale = Set(factor);
  ForLanes(count, [&](std::int64_t i, int lanes) {
    Vec v = LoadLanes(x + i, lanes) * scale;
    if (weight != nullptr) v = v * LoadLanes(weight + i, lanes);
    StoreLanes(out + i, v, lanes);
  });
}

void SiluMul(float* out, const float* gate, const float* up, std::int64_t count) {
  ForLanes(count, [&](std::int64_t i, int lanes) {
    StoreLanes(out + i, Silu(LoadLanes(gate + i, lanes)) * LoadLanes(up + i, lanes), lanes);
  });
}

void Add(float* out, const float* x, std::int64_t count) {
  ForLanes(count, [&](std::int64_t i, int lanes) {
    StoreLanes(out + i, LoadLanes(out + i, lanes) + LoadLanes(x + i, lanes), lanes);
  });
}

void Blend(float* out, float keep, const float* x, float factor, std::int64_t count) {
  ForLanes(count, [&](std::int64_t i, int lanes) {
    const Vec kept = LoadLanes(out + i, lanes) * Set(keep);
    StoreLanes(out + i, MulAdd(LoadLanes(x + i, lanes), Set(factor), kept), lanes);
  });
}

void WeightedSum(float* out, const float* x, std::int64_t stride, const float* weights, int terms,
                 std::int64_t count) {
  ForLanes(count, [&](std::int64_t i, int lanes) {
    Vec sum = Set(0);
    for (int j = 0; j < terms; ++j) {
      sum = MulAdd(Set(weights[j]), LoadLanes(x + j * stride + i, lanes), sum);
    }
    StoreLanes(out + i, sum, lanes);
  });
}

void MixStreams(float* streams, const float* x, const float* post, const float* comb, int n,
                std::int64_t count) {
  ForLanes(count, [&](std::int64_t i, int lanes) {
    Vec old[kStreamsMax];
    for (int j = 0; j < n; ++j) old[j] = LoadLanes(streams + j * count + i, lanes);
    const Vec input = LoadLanes(x + i, lanes);
    for (int k = 0; k < n; ++k) {
      Vec mixed = Set(post[k]) * input;
      for (int j = 0; j < n; ++j) mixed = MulAdd(Set(comb[j * n + k]), old[j], mixed);
      StoreLanes(streams + k * count + i, mixed, lanes);
    }
  });
}

void GateSums(float sums[3], const float* h, const float* q_weight, const float* key,
              const float* k_weight, std::int64_t count) {
  Vec hh = Set(0);
  Vec kk = Set(0);
  Vec hk = Set(0);
  ForLanes(count, [&](std::int64_t i, int lanes) {
    const Vec a = LoadLanes(h + i, lanes);
    const Vec b = LoadLanes(key + i, lanes);
    hh = MulAdd(a, a, hh);
    kk = MulAdd(b, b, kk);
    hk = MulAdd(a * LoadLanes(q_weight + i, lanes), b * LoadLanes(k_weight + i, lanes), hk);
  });
  sums[0] = Sum(hh);
  sums[1] = Sum(kk);
  sums[2] = Sum(hk);
}

// Columns [col, col + lanes) of every row.
void ConvColumns(const ConvBlock& block, std::int64_t col, int lanes) {
  Vec weight[kConvTapsMax];
  for (int j = 0; j < block.taps; ++j) {
    float padded[kLanes] = {};
    for (int i = 0; i < lanes; ++i) padded[i] = block.weight[(col + i) * block.weight_stride + j];
    weight[j] = Load(padded);
  }
  for (int t = 0; t < block.rows; ++t) {
    Vec y = Set(0);
    for (int j = 0; j < block.taps; ++j) {
      const float* normed = block.history[t + j * block.dilation] + col;
      y = MulAdd(weight[j], LoadLanes(normed, lanes), y);
    }
    float* streams = block.streams[t] + col;
    const Vec added = Silu(y) + LoadLanes(block.value[t] + col, lanes);
    StoreLanes(streams, LoadLanes(streams, lanes) + added, lanes);
  }
}

void Conv(const ConvBlock& block) {
  ForLanes(block.end - block.begin,
           [&](std::int64_t i, int lanes) { ConvColumns(block, block.begin + i, lanes); });
}

void SoftmaxTile(float* scores, int count, float scale, bool first, SoftmaxState* state) {
  constexpr float kMinusInfinity = -__builtin_inff();
  for (int i = count; i < kSoftmaxTile; ++i) scores[i] = kMinusInfinity;
  Vec highest = Set(kMinusInfinity);
  for (int i = 0; i < kSoftmaxTile; i += kLanes) {
    const Vec scaled = Load(scores + i) * Set(scale);
    Store(scores + i, scaled);
    highest = Max(highest, scaled);
  }
  const float tile_highest = Highest(highest);
  const bool higher = first || tile_highest > state->highest;
  const float new_highest = higher ? tile_highest : state->highest;
  Vec total = Set(0);
  for (int i = 0; i < kSoftmaxTile; i += kLanes) {
    const Vec weight = Exp(Load(scores + i) - Set(new_highest));
    Store(scores + i, weight);
    // The lanes behind the last score hold e^−87, which must not count.
    const int lanes = count - i < 0 ? 0 : count - i;
    total = total + (lanes >= kLanes ? weight : Load(scores + i, lanes));
  }
  float keep[kLanes];
  Store(keep, Exp(Set(first ? 0.0f : state->highest - new_highest)));
  state->keep = first ? 0.0f : keep[0];
  state->total = first ? Sum(total) : state->total * state->keep + Sum(total);
  state->highest = new_highest;
}

constexpr SimdKernels MakeKernels(const char* name, SimdLevel level) {
  return {.name = name,
          .level = level,
          .dot = {Dot<F32>, Dot<BF16>, Dot<F16>},
          .accumulate = {Accumulate<F32>, Accumulate<BF16>, Accumulate<F16>},
          .widen = {WidenAll<F32>, WidenAll<BF16>, WidenAll<F16>},
          .sum_squares = SumSquares,
          .scale = Scale,
          .silu_mul = SiluMul,
          .add = Add,
          .blend = Blend,
          .weighted_sum = WeightedSum,
          .mix_streams = MixStreams,
          .gate_sums = GateSums,
          .conv = Conv,
          .softmax_tile = SoftmaxTile};
}

}  // namespace
}  // namespace engram::cpu
