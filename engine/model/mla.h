// SPDX-License-Identifier: Apache-2.0
// Multi-head latent attention (DeepSeek-V3 report §2.1; spec C.2), absorbed: queries meet the
// latents directly, so that a latent and a rotated key per token and layer are all that is cached.
#pragma once

#include "engine/model/arena.h"
#include "engine/model/deepseek_weights.h"
#include "engine/model/model.h"
#include "engine/model/model_config.h"
#include "engine/model/rope_table.h"
#include "kernels/backend.h"

namespace engram {

// Workspace for `rows` rows; nothing in it lives from one call to the next.
struct MlaBuffers {
  Tensor q_down;    // [rows, q_lora] f32; empty without q-LoRA
  Tensor q;         // [rows, heads · (nope + rope)] f32
  Tensor kv_down;   // [rows, kv_lora + rope] f32
  Tensor q_latent;  // [rows, heads · kv_lora] f32
  Tensor o_latent;  // [rows, heads · kv_lora] f32
  Tensor values;    // [rows, heads · v] f32
};

MlaBuffers TakeMlaBuffers(const ModelConfig& config, int rows, Arena* arena);

struct MlaArgs {
  Tensor out;    // [T, D] f32
  Tensor x;      // [T, D] f32, normed
  Tensor cache;  // [blocks · block_size, kv_lora + rope] f32: this layer's
  const ModelBatch& batch;
  const MlaWeights& weights;
  const RopeTable& rope;
  const MlaBuffers& buffers;
};

// Writes the step's latents into the cache and attends to each row's own past and itself.
void RunMla(const ModelConfig& config, const MlaArgs& args, Backend* backend);

}  // namespace engram
