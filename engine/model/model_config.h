// SPDX-License-Identifier: Apache-2.0
// config.json of a checkpoint as checked numbers: `deepseek_v3` and `deepseek_v3_engram`, all keys
// and their aliases in docs/CHECKPOINT.md. After Parse every value is in range and fits the others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engram/engram_config.h"
#include "kernels/backend.h"
#include "kernels/dtype.h"

namespace engram {

// YaRN (Peng et al. 2023), as transformers reads it.
struct RopeScaling {
  double factor = 1;
  int original_max_position_embeddings = 0;
  double beta_fast = 32;
  double beta_slow = 1;
  double mscale = 0;          // 0 = absent
  double mscale_all_dim = 0;  // 0 = absent
  std::optional<double> attention_factor;
  bool truncate = true;
};

enum class HcExit { kLearned, kSum };

struct ModelConfig {
  std::string model_type;  // "deepseek_v3" or "deepseek_v3_engram"
  int vocab_size = 0;
  int hidden_size = 0;
  int num_layers = 0;
  int max_position_embeddings = 0;
  float rms_norm_eps = 1e-6f;
  bool tie_word_embeddings = false;
  DType dtype = DType::kBF16;  // torch_dtype: only what dummy weights are made in

  // MLA. q_lora_rank 0: the query is projected directly.
  int num_heads = 0;
  int q_lora_rank = 0;
  int kv_lora_rank = 0;
  int qk_nope_head_dim = 0;
  int qk_rope_head_dim = 0;
  int v_head_dim = 0;
  double rope_theta = 10000;
  bool rope_interleave = true;
  std::optional<RopeScaling> rope_scaling;

  // FFN. Layer i is dense if i < first_k_dense_replace or i is no multiple of moe_layer_freq.
  int intermediate_size = 0;
  int moe_intermediate_size = 0;
  int first_k_dense_replace = 0;
  int moe_layer_freq = 1;
  int n_routed_experts = 0;
  int n_shared_experts = 0;
  int num_experts_per_tok = 0;
  int n_group = 1;
  int topk_group = 1;
  MoeScoring scoring = MoeScoring::kSigmoid;
  bool norm_topk_prob = true;
  float routed_scaling_factor = 1;
  int num_nextn_predict_layers = 0;  // MTP layers whose tensors are skipped

  // mHC. hc_mult 1: plain residual.
  int hc_mult = 1;
  int hc_sinkhorn_iters = 20;
  float hc_eps = 1e-6f;
  std::optional<HcExit> hc_exit;  // absent: learned if its tensors are there, else the sum

  // Engram.
  EngramConfig engram;
  int engram_kernel_size = 0;  // 0: no short convolution
  int engram_conv_dilation = 1;
  float engram_conv_eps = 1e-5f;
  float engram_norm_eps = 1e-6f;
  bool engram_gate_sqrt = true;
  bool engram_bias = false;

  std::vector<std::int32_t> eos_token_ids;  // of config.json; generation_config.json may say more
  std::optional<std::int32_t> bos_token_id;
  std::optional<std::int32_t> pad_token_id;

  // What a person who serves this should know, one sentence each; Load logs them.
  std::vector<std::string> warnings;

  bool has_engram() const { return !engram.layer_ids.empty(); }
  bool IsMoeLayer(int layer) const {
    return n_routed_experts > 0 && layer >= first_k_dense_replace && layer % moe_layer_freq == 0;
  }
  // Positions of past x̂ that the short convolution looks back to; 0 without it.
  int conv_window() const {
    return engram_kernel_size > 0 ? (engram_kernel_size - 1) * engram_conv_dilation : 0;
  }

  // `json`: the file's contents. InvalidArgument names the key, what was found and what is allowed;
  // Unimplemented names what this version cannot serve.
  static absl::StatusOr<ModelConfig> Parse(std::string_view json);
  // Reads `directory`/config.json.
  static absl::StatusOr<ModelConfig> Load(const std::string& directory);
};

}  // namespace engram
