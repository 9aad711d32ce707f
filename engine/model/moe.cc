// SPDX-License-Identifier: Apache-2.0
#include "engine/model/moe.h"

#include <algorithm>

#include "engine/model/weight_loader.h"

namespace engram {
namespace {

// out = down(silu(gate x) ⊙ up x)
void RunMlp(const Tensor& out, const FfnArgs& args, Backend* backend) {
  const Context context;
  const ExpertWeights& mlp = args.weights.dense;
  const std::int64_t rows = args.x.rows;
  const std::int64_t width = mlp.gate.rows;
  // The buffers are as wide as the widest MLP; dense rows of this one's width fit at their start.
  const Tensor gate = Reshape(args.buffers.gate.Cols(0, rows * width), rows, width);
  const Tensor up = Reshape(args.buffers.up.Cols(0, rows * width), rows, width);
  backend->MatMul(context, {.out = gate, .x = args.x, .weight = mlp.gate, .bias = {}});
  backend->MatMul(context, {.out = up, .x = args.x, .weight = mlp.up, .bias = {}});
  backend->SiluMul(context, {.out = gate, .gate = gate, .up = up});
  backend->MatMul(context, {.out = out, .x = gate, .weight = mlp.down, .bias = {}});
}

void RunExperts(const ModelConfig& config, const FfnArgs& args, Backend* backend) {
  const Context context;
  const std::int64_t rows = args.x.rows;
  const Tensor logits = args.buffers.logits.Rows(0, rows);
  const Tensor indices = args.buffers.indices.Rows(0, rows);
  const Tensor weights = args.buffers.weights.Rows(0, rows);
  backend->MatMul(context, {.out = logits, .x = args.x, .weight = args.weights.router, .bias = {}});
  backend->MoeRoute(context, {.indices = indices,
                              .weights = weights,
                              .logits = logits,
                              .bias = args.weights.router_bias,
                              .scoring = config.scoring,
                              .n_group = config.n_group,
                              .topk_group = config.topk_group,
                              .norm_topk_prob = config.norm_topk_prob,
                              .scaling = config.routed_scaling_factor});
  backend->MoeExperts(
      context, {.out = args.out,
                .x = args.x,
                .indices = indices,
                .weights = weights,
                .experts = args.weights.experts,
                .workspace = args.buffers.experts.Rows(0, rows * config.num_experts_per_tok)});
}

}  // namespace

FfnBuffers TakeFfnBuffers(const ModelConfig& config, int rows, Arena* arena) {
  FfnBuffers buffers;
  const std::int64_t shared_width =
      std::int64_t{config.n_shared_experts} * config.moe_intermediate_size;
  const std::int64_t width = std::max<std::int64_t>(config.intermediate_size, shared_width);
  buffers.gate = arena->TakeF32(1, rows * width);
  buffers.up = arena->TakeF32(1, rows * width);
  if (config.n_routed_experts == 0) return buffers;
  const int top_k = config.num_experts_per_tok;
  buffers.shared_out = arena->TakeF32(rows, config.hidden_size);
  buffers.logits = arena->TakeF32(rows, config.n_routed_experts);
  buffers.indices = arena->Take(DType::kI32, rows, top_k);
  buffers.weights = arena->TakeF32(rows, top_k);
  buffers.experts = arena->TakeF32(std::int64_t{rows} * top_k,
                                   2 * config.moe_intermediate_size + config.hidden_size);
  return buffers;
}

void RunFfn(const ModelConfig& config, const FfnArgs& args, Backend* backend) {
  if (args.weights.experts.empty()) {
    RunMlp(args.out, args, backend);
    return;
  }
  RunExperts(config, args, backend);
  if (args.weights.dense.gate.empty()) return;
  const Tensor shared_out = args.buffers.shared_out.Rows(0, args.x.rows);
  RunMlp(shared_out, args, backend);
  backend->Add(Context{}, {.out = args.out, .x = shared_out});
}

}  // namespace engram
