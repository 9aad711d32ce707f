// SPDX-License-Identifier: Apache-2.0
// The feed-forward half of a layer (spec C.4): one gated MLP in a dense layer; in a MoE layer the
// routed experts of each token plus the shared experts, which are one MLP that every token takes.
#pragma once

#include "engine/model/arena.h"
#include "engine/model/deepseek_weights.h"
#include "engine/model/model_config.h"
#include "kernels/backend.h"

namespace engram {

// Workspace for `rows` rows; nothing in it lives from one call to the next.
struct FfnBuffers {
  Tensor gate;        // [rows · F] f32, F the widest of dense and shared MLP
  Tensor up;          // [rows · F] f32
  Tensor shared_out;  // [rows, D] f32
  Tensor logits;      // [rows, experts] f32
  Tensor indices;     // [rows, top_k] i32
  Tensor weights;     // [rows, top_k] f32
  Tensor experts;     // [rows · top_k, 2·F + D] f32
};

FfnBuffers TakeFfnBuffers(const ModelConfig& config, int rows, Arena* arena);

struct FfnArgs {
  Tensor out;  // [T, D] f32
  Tensor x;    // [T, D] f32, normed
  const FfnWeights& weights;
  const FfnBuffers& buffers;
};

void RunFfn(const ModelConfig& config, const FfnArgs& args, Backend* backend);

}  // namespace engram
