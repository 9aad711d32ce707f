// SPDX-License-Identifier: Apache-2.0
#include "engine/model/mla.h"

namespace engram {
namespace {

// The norms on the query's and the keys' latents have this eps whatever rms_norm_eps says, in
// DeepSeek's code as in Hugging Face's.
constexpr float kLatentNormEps = 1e-6f;

// q [T, heads · (nope + rope)], rope parts not rotated yet.
void ProjectQuery(const MlaArgs& args, const Tensor& q, Backend* backend) {
  const Context context;
  if (args.weights.q_down.empty()) {
    backend->MatMul(context, {.out = q, .x = args.x, .weight = args.weights.q_up, .bias = {}});
    return;
  }
  const Tensor latent = args.buffers.q_down.Rows(0, args.x.rows);
  backend->MatMul(context, {.out = latent, .x = args.x, .weight = args.weights.q_down, .bias = {}});
  backend->RmsNorm(
      context,
      {.out = latent, .x = latent, .weight = args.weights.q_down_norm, .eps = kLatentNormEps});
  backend->MatMul(context, {.out = q, .x = latent, .weight = args.weights.q_up, .bias = {}});
}

}  // namespace

MlaBuffers TakeMlaBuffers(const ModelConfig& config, int rows, Arena* arena) {
  const std::int64_t heads = config.num_heads;
  MlaBuffers buffers;
  if (config.q_lora_rank > 0) buffers.q_down = arena->TakeF32(rows, config.q_lora_rank);
  buffers.q = arena->TakeF32(rows, heads * (config.qk_nope_head_dim + config.qk_rope_head_dim));
  buffers.kv_down = arena->TakeF32(rows, config.kv_lora_rank + config.qk_rope_head_dim);
  buffers.q_latent = arena->TakeF32(rows, heads * config.kv_lora_rank);
  buffers.o_latent = arena->TakeF32(rows, heads * config.kv_lora_rank);
  buffers.values = arena->TakeF32(rows, heads * config.v_head_dim);
  return buffers;
}

void RunMla(const ModelConfig& config, const MlaArgs& args, Backend* backend) {
  const Context context;
  const std::int64_t rows = args.x.rows;
  const int heads = config.num_heads;
  const int nope = config.qk_nope_head_dim;
  const int rope = config.qk_rope_head_dim;
  const int v = config.v_head_dim;
  const MlaWeights& weights = args.weights;
  const ModelBatch& batch = args.batch;

  const Tensor q = args.buffers.q.Rows(0, rows);
  ProjectQuery(args, q, backend);
  const Tensor kv_down = args.buffers.kv_down.Rows(0, rows);
  backend->MatMul(context, {.out = kv_down, .x = args.x, .weight = weights.kv_down, .bias = {}});
  const Tensor latent = kv_down.Cols(0, config.kv_lora_rank);
  const Tensor k_pe = kv_down.Cols(config.kv_lora_rank, rope);
  backend->RmsNorm(
      context, {.out = latent, .x = latent, .weight = weights.kv_down_norm, .eps = kLatentNormEps});

  RopeArgs rotate{.x = q,
                  .positions = batch.positions,
                  .cos_sin = args.rope.cos_sin,
                  .heads = heads,
                  .head_stride = nope + rope,
                  .offset = nope,
                  .rope_dim = rope,
                  .interleaved = config.rope_interleave};
  backend->Rope(context, rotate);
  rotate.x = k_pe;
  rotate.heads = 1;
  rotate.head_stride = rope;
  rotate.offset = 0;
  backend->Rope(context, rotate);
  backend->MlaWriteCache(
      context, {.cache = args.cache, .latent = latent, .k_pe = k_pe, .slots = batch.cache_slots});

  const Tensor q_latent = args.buffers.q_latent.Rows(0, rows);
  const Tensor o_latent = args.buffers.o_latent.Rows(0, rows);
  const Tensor values = args.buffers.values.Rows(0, rows);
  backend->MlaAbsorbQuery(context, {.out = q_latent,
                                    .q = q,
                                    .kv_b = weights.kv_up,
                                    .heads = heads,
                                    .nope = nope,
                                    .rope = rope,
                                    .v = v});
  backend->MlaAttention(context, {.out = o_latent,
                                  .q_latent = q_latent,
                                  .q = q,
                                  .cache = args.cache,
                                  .positions = batch.positions,
                                  .sequence = batch.sequence,
                                  .block_tables = batch.block_tables,
                                  .heads = heads,
                                  .nope = nope,
                                  .rope = rope,
                                  .kv_lora = config.kv_lora_rank,
                                  .block_size = batch.block_size,
                                  .scale = args.rope.attention_scale});
  backend->MlaProjectValues(context, {.out = values,
                                      .o_latent = o_latent,
                                      .kv_b = weights.kv_up,
                                      .heads = heads,
                                      .nope = nope,
                                      .v = v});
  backend->MatMul(context, {.out = args.out, .x = values, .weight = weights.output, .bias = {}});
}

}  // namespace engram
