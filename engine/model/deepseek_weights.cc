// SPDX-License-Identifier: Apache-2.0
#include "engine/model/deepseek_weights.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "engine/model/weight_loader.h"

namespace engram {
namespace {

constexpr float kSmallStd = 0.02f;  // dummy weights only
constexpr float kOnes = 0.0f;       // dummy weights only

std::string LayerPrefix(int layer) { return "model.layers." + std::to_string(layer) + "."; }

HcSiteWeights LoadHcSite(const ModelConfig& config, const std::string& prefix, WeightLoader* load) {
  if (config.hc_mult == 1) return {};
  const std::int64_t n = config.hc_mult;
  const std::int64_t mixes = (2 + n) * n;
  const std::int64_t width = n * config.hidden_size;
  return {.fn = Reshape(load->Vector(prefix + "_fn", {mixes, width}, kSmallStd), mixes, width),
          .base = load->Vector(prefix + "_base", {mixes}, kSmallStd),
          .scale = load->Vector(prefix + "_scale", {3}, kOnes)};
}

// The learned exit, if the model has one: because the config says so, or because it leaves the
// matter open and the tensors are there.
HcHeadWeights LoadHcHead(const ModelConfig& config, WeightLoader* load) {
  if (config.hc_mult == 1 || config.hc_exit == HcExit::kSum) return {};
  const std::int64_t n = config.hc_mult;
  const std::int64_t width = n * config.hidden_size;
  const std::string fn_name = "model.hc_head_fn";
  const Tensor fn = config.hc_exit == HcExit::kLearned
                        ? load->Vector(fn_name, {n, width}, kSmallStd)
                        : load->OptionalVector(fn_name, {n, width}, kSmallStd);
  if (fn.empty()) return {};
  return {.fn = Reshape(fn, n, width),
          .base = load->Vector("model.hc_head_base", {n}, kSmallStd),
          .scale = load->Vector("model.hc_head_scale", {1}, kOnes)};
}

MlaWeights LoadMla(const ModelConfig& config, const std::string& prefix, WeightLoader* load) {
  const int width = config.hidden_size;
  const int queries = config.num_heads * (config.qk_nope_head_dim + config.qk_rope_head_dim);
  MlaWeights weights;
  if (config.q_lora_rank == 0) {
    weights.q_up = load->Matrix(prefix + "q_proj.weight", queries, width);
  } else {
    weights.q_down = load->Matrix(prefix + "q_a_proj.weight", config.q_lora_rank, width);
    weights.q_down_norm = load->Norm(prefix + "q_a_layernorm.weight", {config.q_lora_rank});
    weights.q_up = load->Matrix(prefix + "q_b_proj.weight", queries, config.q_lora_rank);
  }
  weights.kv_down = load->Matrix(prefix + "kv_a_proj_with_mqa.weight",
                                 config.kv_lora_rank + config.qk_rope_head_dim, width);
  weights.kv_down_norm = load->Norm(prefix + "kv_a_layernorm.weight", {config.kv_lora_rank});
  weights.kv_up = load->Matrix(prefix + "kv_b_proj.weight",
                               config.num_heads * (config.qk_nope_head_dim + config.v_head_dim),
                               config.kv_lora_rank);
  weights.output =
      load->Matrix(prefix + "o_proj.weight", width, config.num_heads * config.v_head_dim);
  return weights;
}

ExpertWeights LoadExpert(const ModelConfig& config, const std::string& prefix, int width,
                         WeightLoader* load) {
  return {.gate = load->Matrix(prefix + "gate_proj.weight", width, config.hidden_size),
          .up = load->Matrix(prefix + "up_proj.weight", width, config.hidden_size),
          .down = load->Matrix(prefix + "down_proj.weight", config.hidden_size, width)};
}

FfnWeights LoadFfn(const ModelConfig& config, int layer, WeightLoader* load) {
  const std::string prefix = LayerPrefix(layer) + "mlp.";
  FfnWeights weights;
  if (!config.IsMoeLayer(layer)) {
    weights.dense = LoadExpert(config, prefix, config.intermediate_size, load);
    return weights;
  }
  weights.router =
      load->Matrix(prefix + "gate.weight", config.n_routed_experts, config.hidden_size);
  weights.router_bias = load->OptionalVector(prefix + "gate.e_score_correction_bias",
                                             {config.n_routed_experts}, kSmallStd);
  for (int expert = 0; expert < config.n_routed_experts; ++expert) {
    weights.experts.push_back(LoadExpert(config, prefix + "experts." + std::to_string(expert) + ".",
                                         config.moe_intermediate_size, load));
  }
  if (config.n_shared_experts > 0) {
    weights.dense = LoadExpert(config, prefix + "shared_experts.",
                               config.n_shared_experts * config.moe_intermediate_size, load);
  }
  return weights;
}

EngramWeights LoadEngram(const ModelConfig& config, const std::string& prefix, WeightLoader* load) {
  const std::int64_t n = config.hc_mult;
  const std::int64_t width = config.hidden_size;
  const std::int64_t outputs = (n + 1) * width;
  EngramWeights weights;
  weights.kv = load->Matrix(prefix + "wkv.weight", outputs, config.engram.memory_dim());
  if (config.engram_bias) {
    weights.kv_bias = load->Vector(prefix + "wkv.bias", {outputs}, kSmallStd);
  }
  weights.q_norm = load->Norm(prefix + "q_weight", {n, width});
  weights.k_norm = load->Norm(prefix + "k_weight", {n, width});
  if (config.engram_kernel_size > 0) {
    const std::int64_t taps = config.engram_kernel_size;
    weights.conv_norm = load->Norm(prefix + "short_conv.norm_weight", {n, width});
    weights.conv =
        Reshape(load->Vector(prefix + "short_conv.conv.weight", {n * width, 1, taps}, kSmallStd),
                n * width, taps);
  }
  return weights;
}

LayerWeights LoadLayer(const ModelConfig& config, int layer, WeightLoader* load) {
  const std::string prefix = LayerPrefix(layer);
  LayerWeights weights;
  weights.attention_site = LoadHcSite(config, prefix + "hc_attn", load);
  weights.attention_norm = load->Norm(prefix + "input_layernorm.weight", {config.hidden_size});
  weights.attention = LoadMla(config, prefix + "self_attn.", load);
  weights.ffn_site = LoadHcSite(config, prefix + "hc_ffn", load);
  weights.ffn_norm = load->Norm(prefix + "post_attention_layernorm.weight", {config.hidden_size});
  weights.ffn = LoadFfn(config, layer, load);
  return weights;
}

// Tensors that checkpoints carry and this engine does not run: multi-token prediction layers, which
// are numbered after the last one, rotary frequencies as a buffer, and the copy of a tied head.
bool IsUnused(const ModelConfig& config, std::string_view name) {
  if (name.ends_with(".rotary_emb.inv_freq")) return true;
  if (config.tie_word_embeddings && name == "lm_head.weight") return true;
  constexpr std::string_view kLayers = "model.layers.";
  if (!name.starts_with(kLayers)) return false;
  const std::string_view rest = name.substr(kLayers.size());
  int layer = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  if (error != std::errc() || end == rest.data() + rest.size() || *end != '.') return false;
  return layer >= config.num_layers && layer < config.num_layers + config.num_nextn_predict_layers;
}

}  // namespace

absl::StatusOr<DeepseekWeights> LoadDeepseekWeights(const ModelConfig& config,
                                                    std::span<const std::int64_t> table_rows,
                                                    Checkpoint* checkpoint, Backend* backend) {
  const std::vector<int>& engram_layers = config.engram.layer_ids;
  CHECK_EQ(table_rows.size(), engram_layers.size());
  WeightLoader load(checkpoint, backend);
  DeepseekWeights weights;
  weights.embedding =
      load.Matrix("model.embed_tokens.weight", config.vocab_size, config.hidden_size);
  for (int layer = 0; layer < config.num_layers; ++layer) {
    weights.layers.push_back(LoadLayer(config, layer, &load));
  }
  for (std::size_t i = 0; i < engram_layers.size(); ++i) {
    const std::string prefix = LayerPrefix(engram_layers[i]) + "engram.";
    LayerWeights& layer = weights.layers[engram_layers[i]];
    layer.engram_index = static_cast<int>(i);
    layer.engram = LoadEngram(config, prefix, &load);
    weights.engram_tables.push_back(
        LoadTable(prefix + "embed.", table_rows[i], config.engram.head_dim, &load));
  }
  weights.hc_head = LoadHcHead(config, &load);
  weights.final_norm = load.Norm("model.norm.weight", {config.hidden_size});
  weights.lm_head = config.tie_word_embeddings
                        ? weights.embedding
                        : load.Matrix("lm_head.weight", config.vocab_size, config.hidden_size);
  RETURN_IF_ERROR(load.status());
  RETURN_IF_ERROR(
      checkpoint->CheckNothingLeft([&](std::string_view name) { return IsUnused(config, name); }));
  return weights;
}

}  // namespace engram
