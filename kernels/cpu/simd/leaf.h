// SPDX-License-Identifier: Apache-2.0
// The inner loops, written once over Vec. A leaf_*.cc includes its vec_*.h, which defines Vec, and
// then this file; everything has internal linkage, see simd_kernels.h.
#pragma once

#include "kernels/cpu/simd/leaf_products.h"
#include "kernels/cpu/simd/leaf_rows.h"
#include "kernels/cpu/simd/simd_kernels.h"

namespace engram::cpu {
namespace {

constexpr SimdKernels MakeKernels(const char* name, SimdLevel level) {
  return {.name = name,
          .level = level,
          .dot_tile_rows = kTileRows,
          .dot_tile_cols = kTileCols,
          .dot = {Dot<F32>, Dot<BF16>, Dot<F16>},
          .accumulate = {Accumulate<F32>, Accumulate<BF16>, Accumulate<F16>},
          .widen = {WidenAll<F32>, WidenAll<BF16>, WidenAll<F16>},
          .widen_scaled = {WidenScaled<I8>, WidenScaled<F8E4M3>},
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
