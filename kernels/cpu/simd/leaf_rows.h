// SPDX-License-Identifier: Apache-2.0
// The inner loops of everything that is not a product: element by element, and sums along a row.
// Part of a leaf: see leaf.h.
#pragma once

#include <cstdint>

#include "kernels/cpu/simd/lanes.h"
#include "kernels/cpu/simd/simd_kernels.h"

namespace engram::cpu {
namespace {

template <typename W>
void WidenAll(float* out, const void* in, std::int64_t count) {
  const auto* p = static_cast<const typename W::Element*>(in);
  ForLanes(count, [&](std::int64_t i, int lanes) {
    StoreLanes(out + i, lanes == kLanes ? W::Widen(p + i) : Widen<W>(p + i, lanes), lanes);
  });
}

template <typename W>
void WidenScaled(float* out, const void* in, float scale, std::int64_t count) {
  const auto* p = static_cast<const typename W::Element*>(in);
  const Vec factor = Set(scale);
  ForLanes(count, [&](std::int64_t i, int lanes) {
    const Vec x = lanes == kLanes ? W::Widen(p + i) : Widen<W>(p + i, lanes);
    StoreLanes(out + i, x * factor, lanes);
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

}  // namespace
}  // namespace engram::cpu
