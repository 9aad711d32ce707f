// SPDX-License-Identifier: Apache-2.0
// The inner loops of the CPU backend as a table of functions, one table per instruction set. Plain
// data only: the files that fill the tables are compiled for instruction sets that this machine may
// not have, so they must share no inline function with the rest of the program (the linker could
// keep their copy of it).
//
// Within one table a result never depends on how the work is cut into blocks: each output has its
// own accumulator, and its terms are added in one order. Two tables may differ in the last bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram::cpu {

enum class SimdLevel { kPortable, kAvx2, kAvx512 };

// Index of the table's functions that read weights.
enum WeightKind { kWeightF32, kWeightBF16, kWeightF16, kWeightKinds };

// Index of those that read scaled values.
enum ScaledKind { kScaledI8, kScaledF8E4M3, kScaledKinds };

// Rows and columns of the DotBlocks that large products are cut into: multiples of every tile's
// size.
inline constexpr int kDotRowsMax = 48;
inline constexpr int kDotColsMax = 48;

inline constexpr int kStreamsMax = 8;    // MixStreams' n
inline constexpr int kConvTapsMax = 65;  // ConvBlock::taps

// out[r][column[c]] = ⟨x[r], w[c]⟩ + bias[column[c]]
struct DotBlock {
  float* const* out;           // [rows]
  const float* const* x;       // [rows][depth]
  const void* const* w;        // [cols][depth] weights
  const std::int64_t* column;  // [cols]
  const float* bias;           // nullptr = none
  int rows;
  int cols;
  std::int64_t depth;
};

// out[r] = keep[r] · out[r] + Σ_p factor[r][p] · w[p], p ascending; keep == nullptr starts at zero.
struct AccumulateBlock {
  float* const* out;           // [rows][cols]
  const float* keep;           // [rows] or nullptr
  const float* const* factor;  // [rows][depth]
  const void* const* w;        // [depth][cols] weights
  int rows;
  int depth;
  std::int64_t cols;
};

// Columns [begin, end) of consecutive rows of one sequence:
//   y[t, c] = Σ_j weight[c, j] · history[t + j · dilation][c]; streams[t] += silu(y[t]) + value[t].
struct ConvBlock {
  float* const* streams;        // [rows][channels]
  const float* const* value;    // [rows][channels]
  const float* const* history;  // [(taps − 1) · dilation + rows][channels], oldest first
  const float* weight;          // [channels, taps], weight_stride apart
  std::int64_t weight_stride;
  std::int64_t begin;
  std::int64_t end;
  int rows;
  int taps;  // ≤ kConvTapsMax
  int dilation;
};

// The running maximum and sum of one softmax, and what its former terms shrink by.
struct SoftmaxState {
  float highest;
  float total;
  float keep;
};

// Scores of one SoftmaxTile call: a multiple of every vector's length.
inline constexpr int kSoftmaxTile = 32;

struct SimdKernels {
  const char* name;
  SimdLevel level;

  // `dot` works on tiles of dot_tile_rows rows and dot_tile_cols[dot_tile_rows − 1] columns; of
  // fewer rows r, and then dot_tile_cols[r − 1] columns, where the block has no more.
  int dot_tile_rows;
  const int* dot_tile_cols;
  void (*dot[kWeightKinds])(const DotBlock& block);
  void (*accumulate[kWeightKinds])(const AccumulateBlock& block);
  void (*widen[kWeightKinds])(float* out, const void* in, std::int64_t count);
  // out = in · scale
  void (*widen_scaled[kScaledKinds])(float* out, const void* in, float scale, std::int64_t count);

  // Σ x²
  float (*sum_squares)(const float* x, std::int64_t count);
  // out = x · factor · weight; weight may be nullptr.
  void (*scale)(float* out, const float* x, const float* weight, float factor, std::int64_t count);
  // out = silu(gate) · up
  void (*silu_mul)(float* out, const float* gate, const float* up, std::int64_t count);
  // out += x
  void (*add)(float* out, const float* x, std::int64_t count);
  // out = out · keep + x · factor
  void (*blend)(float* out, float keep, const float* x, float factor, std::int64_t count);
  // out = Σ_j weights[j] · x[j · stride …], j ascending
  void (*weighted_sum)(float* out, const float* x, std::int64_t stride, const float* weights,
                       int terms, std::int64_t count);
  // stream k = post[k] · x + Σ_j comb[j · n + k] · old stream j, in place; streams [n, count].
  void (*mix_streams)(float* streams, const float* x, const float* post, const float* comb, int n,
                      std::int64_t count);
  // {Σ h², Σ key², Σ h · q_weight · key · k_weight}
  void (*gate_sums)(float sums[3], const float* h, const float* q_weight, const float* key,
                    const float* k_weight, std::int64_t count);
  void (*conv)(const ConvBlock& block);
  // scores [kSoftmaxTile], the first `count` valid → exp(scale · score − highest). `first` starts
  // a new softmax.
  void (*softmax_tile)(float* scores, int count, float scale, bool first, SoftmaxState* state);
};

// nullptr where the compiler's target has no such instructions.
const SimdKernels* PortableKernels();
const SimdKernels* Avx2Kernels();
const SimdKernels* Avx512Kernels();

}  // namespace engram::cpu
