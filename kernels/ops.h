// SPDX-License-Identifier: Apache-2.0
// The arguments of every op of kernels/backend.h, one struct each, with shapes, dtypes and the
// source of the formula. Activations are f32. Weight matrices are f32, bf16 or f16, read as they
// are; small vectors (norm weights, biases, mHC parameters) are f32, made by PlaceF32 at load. T =
// rows of the step, D = hidden size, n = hc_mult (streams); all tensors are [rows, cols] as the
// comments say.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/row_format.h"
#include "kernels/tensor.h"

namespace engram {

// ---- Plain tensors ----

// out[t] = table[ids[t]]
struct EmbedArgs {
  Tensor out;    // [T, D] f32
  Tensor table;  // [vocab, D] f32|bf16|f16
  Tensor ids;    // [1, T] i32, in [0, vocab)
};

// out[r] = x[index[r]]
struct GatherRowsArgs {
  Tensor out;    // [R, D] f32
  Tensor x;      // [T, D] f32
  Tensor index;  // [1, R] i32
};

// out = x · rsqrt(mean(x²) + eps) · weight, over each row. `out` may be `x`.
struct RmsNormArgs {
  Tensor out;     // [T, D] f32
  Tensor x;       // [T, D] f32
  Tensor weight;  // [1, D] f32; empty = all ones
  float eps = 0;
};

// out = x · weightᵀ (+ bias)
struct MatMulArgs {
  Tensor out;     // [T, N] f32
  Tensor x;       // [T, K] f32
  Tensor weight;  // [N, K] f32|bf16|f16
  Tensor bias;    // [1, N] f32; empty = none
};

// out = silu(gate) ⊙ up. `out` may be `gate` or `up`.
struct SiluMulArgs {
  Tensor out;   // [T, F] f32
  Tensor gate;  // [T, F] f32
  Tensor up;    // [T, F] f32
};

// out += x
struct AddArgs {
  Tensor out;  // [T, D] f32
  Tensor x;    // [T, D] f32
};

// ---- Multi-head latent attention (DeepSeek-V3 report §2.1; spec C.2, C.3) ----

// Rotates `heads` slices of each row in place: head h's are columns
// [h · head_stride + offset, + rope_dim).
struct RopeArgs {
  Tensor x;          // [T, heads · head_stride] f32
  Tensor positions;  // [1, T] i32
  Tensor cos_sin;    // [positions, rope_dim] f32: rope_dim/2 cosines, then as many sines
  int heads = 1;
  int head_stride = 0;
  int offset = 0;
  int rope_dim = 0;
  bool interleaved = true;  // pairs (2i, 2i+1), else (i, i + rope_dim/2)
};

// Writes each row's latent and rotated key into the paged cache.
struct MlaWriteCacheArgs {
  Tensor cache;   // [blocks · block_size, kv_lora + rope] f32: one layer's
  Tensor latent;  // [T, kv_lora] f32, normed
  Tensor k_pe;    // [T, rope] f32, rotated
  Tensor slots;   // [1, T] i32: block · block_size + position mod block_size
};

// q'[t, h] = q_nope[t, h] · W_uk[h]: the query against the latent instead of the keys.
struct MlaAbsorbQueryArgs {
  Tensor out;   // [T, heads · kv_lora] f32
  Tensor q;     // [T, heads · (nope + rope)] f32
  Tensor kv_b;  // [heads · (nope + v), kv_lora] weight; head h's first `nope` rows are W_uk[h]
  int heads = 0;
  int nope = 0;
  int rope = 0;
  int v = 0;
};

// Causal attention over the paged cache: row t of sequence s sees positions 0 … positions[t].
// score = (q'·c + q_pe·k_pe) · scale; out[t, h] = Σ softmax(score) · c.
struct MlaAttentionArgs {
  Tensor out;           // [T, heads · kv_lora] f32
  Tensor q_latent;      // [T, heads · kv_lora] f32, from MlaAbsorbQuery
  Tensor q;             // [T, heads · (nope + rope)] f32, rope part rotated
  Tensor cache;         // [blocks · block_size, kv_lora + rope] f32
  Tensor positions;     // [1, T] i32
  Tensor sequence;      // [1, T] i32: row of block_tables
  Tensor block_tables;  // [S, blocks per sequence] i32
  int heads = 0;
  int nope = 0;
  int rope = 0;
  int kv_lora = 0;
  int block_size = 0;
  float scale = 0;
};

// out[t, h] = W_uv[h] · o_latent[t, h]
struct MlaProjectValuesArgs {
  Tensor out;       // [T, heads · v] f32
  Tensor o_latent;  // [T, heads · kv_lora] f32
  Tensor kv_b;      // as in MlaAbsorbQuery; head h's last `v` rows are W_uv[h]
  int heads = 0;
  int nope = 0;
  int v = 0;
};

// ---- Mixture of experts (spec C.4) ----

enum class MoeScoring { kSigmoid, kSoftmax };

// Picks top_k experts per row. Sigmoid: selection by score + bias within the topk_group best groups
// (group score: sum of its two best), weights are the unbiased scores. Softmax (V2): group score is
// the best one. Equal scores: the lower expert id wins.
struct MoeRouteArgs {
  Tensor indices;  // [T, top_k] i32 out, ascending
  Tensor weights;  // [T, top_k] f32 out, in the order of indices
  Tensor logits;   // [T, experts] f32
  Tensor bias;     // [1, experts] f32; empty = 0
  MoeScoring scoring = MoeScoring::kSigmoid;
  int n_group = 1;
  int topk_group = 1;
  bool norm_topk_prob = true;  // divide by the sum (+ 1e−20)
  float scaling = 1;           // routed_scaling_factor
};

struct ExpertWeights {
  Tensor gate;  // [F, D] weight
  Tensor up;    // [F, D] weight
  Tensor down;  // [D, F] weight
};

// out[t] = Σ_k weights[t,k] · down(silu(gate x) ⊙ up x), summed in ascending expert id.
struct MoeExpertsArgs {
  Tensor out;      // [T, D] f32
  Tensor x;        // [T, D] f32
  Tensor indices;  // [T, top_k] i32, ascending
  Tensor weights;  // [T, top_k] f32
  std::span<const ExpertWeights> experts;
  Tensor workspace;  // [T · top_k, 2·F + D] f32
};

// ---- Hyper-connections, mHC (spec B.2) ----

// Every stream starts as the embedding.
struct StreamsExpandArgs {
  Tensor streams;  // [T, n·D] f32 out
  Tensor x;        // [T, D] f32
  int n = 1;
};

// out = Σ streams: the exit of models without a learned one.
struct StreamsSumArgs {
  Tensor out;      // [T, D] f32
  Tensor streams;  // [T, n·D] f32
  int n = 1;
};

// q = (x̄ fnᵀ) · rsqrt(mean(x̄²) + norm_eps) with x̄ the row; pre = σ(q·scale₀ + base) + hc_eps,
// post = 2σ(q·scale₁ + base), comb = Sinkhorn(q·scale₂ + base); out = Σ_j pre_j x_j.
struct HcPreArgs {
  Tensor out;      // [T, D] f32: the sub-layer's input
  Tensor post;     // [T, n] f32 out
  Tensor comb;     // [T, n·n] f32 out, [from, to]
  Tensor streams;  // [T, n·D] f32
  Tensor fn;       // [(2+n)·n, n·D] f32: rows pre | post | comb
  Tensor base;     // [1, (2+n)·n] f32
  Tensor scale;    // [1, 3] f32
  int n = 1;
  int sinkhorn_iters = 20;
  float norm_eps = 0;
  float hc_eps = 0;
};

// stream k = post_k · x + Σ_j comb[j, k] · old stream j. In place.
struct HcPostArgs {
  Tensor streams;  // [T, n·D] f32 in and out
  Tensor x;        // [T, D] f32: the sub-layer's output
  Tensor post;     // [T, n] f32
  Tensor comb;     // [T, n·n] f32
  int n = 1;
};

// out = Σ_j (σ(q_j · scale + base_j) + hc_eps) · x_j, q as in HcPre: the learned exit.
struct HcHeadArgs {
  Tensor out;      // [T, D] f32
  Tensor streams;  // [T, n·D] f32
  Tensor fn;       // [n, n·D] f32
  Tensor base;     // [1, n] f32
  Tensor scale;    // [1, 1] f32
  int n = 1;
  float norm_eps = 0;
  float hc_eps = 0;
};

// ---- Engram (paper §2; spec A.3 – A.5) ----

// Table rows as the storage has them → f32: out[t, h·h_d …] = row h of token t. Where a format has
// scales, a value is one product: the value as f32, times its block's scale as f32. NaN as either
// gives NaN.
struct EngramDecodeRowsArgs {
  Tensor out;   // [T, H · h_d] f32
  Tensor rows;  // [T · H, format.row_bytes()] u8, gathered
  EngramRowFormat format;
};

// score_m = ⟨norm(h_m) q_m, norm(key_m) k_m⟩ / √D; gate = σ(±√max(|score|, 1e−6)) with gate_sqrt
// (0.5 exactly at score 0), else σ(score); value_m = gate_m · v.
struct EngramGateArgs {
  Tensor gates;     // [T, n] f32 out; 0 where not enabled
  Tensor value;     // [T, n·D] f32 out; 0 where not enabled
  Tensor streams;   // [T, n·D] f32
  Tensor kv;        // [T, (n+1)·D] f32: n keys, then the value
  Tensor q_weight;  // [1, n·D] f32
  Tensor k_weight;  // [1, n·D] f32
  Tensor enabled;   // [1, T] i32: 0 = the memory is off for this row
  int n = 1;
  float norm_eps = 0;
  bool gate_sqrt = true;
};

// Adds the gated value and its short convolution to the streams (a model without the convolution
// uses Add on the value instead):
//   x̂ = norm(value) per stream; y[t,c] = Σ_j weight[c,j] · x̂[t − (w−1−j)·dilation, c];
//   streams += silu(y) + value.
// x̂ before a slice's first row comes from the slice's source entry of `state`. An entry holds the
// last `window` = (w−1)·dilation x̂ of a sequence, oldest first; entry 0 is all zeros: the past of
// position 0. A slice's write_* lists say after which of its rows to store the window, and where.
struct EngramConvArgs {
  Tensor streams;                                 // [T, n·D] f32 in and out
  Tensor value;                                   // [T, n·D] f32
  Tensor norm_weight;                             // [1, n·D] f32
  Tensor conv_weight;                             // [n·D, w] f32
  Tensor state;                                   // [entries · window, n·D] f32, this layer's
  Tensor normed;                                  // [T, n·D] f32 workspace: x̂
  std::span<const std::int32_t> slice_first_row;  // [S] host memory, as all lists here
  std::span<const std::int32_t> slice_row_count;  // [S]
  std::span<const std::int32_t> slice_source;     // [S] entry
  std::span<const std::int32_t> write_slice;      // [W] which slice
  std::span<const std::int32_t> write_after_row;  // [W] row of the step: window ends with it
  std::span<const std::int32_t> write_entry;      // [W] > 0; may be its own slice's source
  int n = 1;
  int dilation = 1;
  float eps = 0;
};

}  // namespace engram
