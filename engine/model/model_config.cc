// SPDX-License-Identifier: Apache-2.0
#include "engine/model/model_config.h"

#include <algorithm>
#include <initializer_list>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"
#include "engine/model/config_text.h"
#include "engine/model/engram_fields.h"
#include "engine/model/json_fields.h"

namespace engram {
namespace {

constexpr double kEpsMax = 1;
constexpr double kThetaMax = 1e12;
constexpr double kRopeFactorMax = 1e6;
constexpr double kScaleMax = 1e6;

// What this version cannot serve, by keys that say so.
absl::Status CheckServable(JsonFields* json) {
  if (json->Has({"quantization_config"})) {
    return absl::UnimplementedError(
        "config.json: quantization_config is given, but quantized weights (fp8 included) are not "
        "supported yet; use a checkpoint in bf16, f16 or f32");
  }
  if (const std::string activation = json->OptionalString({"hidden_act"}).value_or("silu");
      activation != "silu") {
    json->Fail("hidden_act", absl::StrCat("is \"", activation, "\"; only \"silu\" is supported"));
  }
  if (json->OptionalBool({"attention_bias"}).value_or(false)) {
    json->Fail("attention_bias", "is true; only false is supported");
  }
  return json->status();
}

std::string ReadModelType(JsonFields* json) {
  const std::string type = json->String({"model_type"});
  if (!type.empty() && type != "deepseek_v3" && type != "deepseek_v3_engram") {
    json->Fail("model_type", absl::StrCat("is \"", type, "\"; this version serves deepseek_v3 and ",
                                          "deepseek_v3_engram"));
  }
  return type;
}

DType ReadDType(JsonFields* json) {
  const std::string name = json->OptionalString({"dtype", "torch_dtype"}).value_or("bfloat16");
  if (name == "float32") return DType::kF32;
  if (name == "float16") return DType::kF16;
  if (name != "bfloat16") {
    json->Fail("dtype", absl::StrCat("is \"", name, "\"; expected bfloat16, float16 or float32"));
  }
  return DType::kBF16;
}

void ReadTokenIds(JsonFields* json, ModelConfig* config) {
  const IntRange id{0, config->vocab_size - 1};
  for (const std::int64_t eos : json->IntOrList({"eos_token_id"}, id, limits::kEosTokensMax)) {
    config->eos_token_ids.push_back(static_cast<std::int32_t>(eos));
  }
  config->bos_token_id = json->OptionalInt({"bos_token_id"}, id);
  config->pad_token_id = json->OptionalInt({"pad_token_id"}, id);
}

void ReadSizes(JsonFields* json, ModelConfig* config) {
  config->vocab_size = json->Int({"vocab_size"}, {1, limits::kVocabMax});
  config->hidden_size = json->Int({"hidden_size"}, {1, limits::kHiddenMax});
  config->num_layers = json->Int({"num_hidden_layers"}, {1, limits::kLayersMax});
  config->max_position_embeddings =
      json->Int({"max_position_embeddings"}, {1, limits::kModelLenMax});
  config->rms_norm_eps =
      static_cast<float>(json->OptionalNumber({"rms_norm_eps"}, {0, kEpsMax}).value_or(1e-6));
  config->tie_word_embeddings = json->OptionalBool({"tie_word_embeddings"}).value_or(false);
  config->num_nextn_predict_layers =
      json->OptionalInt({"num_nextn_predict_layers"}, {0, limits::kMtpLayersMax}).value_or(0);
}

void ReadAttention(JsonFields* json, ModelConfig* config) {
  const IntRange width{1, limits::kHiddenMax};
  config->num_heads = json->Int({"num_attention_heads"}, {1, limits::kHeadsMax});
  const std::int64_t kv_heads = json->OptionalInt({"num_key_value_heads"}, {1, limits::kHeadsMax})
                                    .value_or(config->num_heads);
  if (kv_heads != config->num_heads) {
    json->Fail("num_key_value_heads",
               absl::StrCat("is ", kv_heads, "; latent attention has as many as ",
                            "num_attention_heads, ", config->num_heads));
  }
  config->q_lora_rank = json->OptionalInt({"q_lora_rank"}, {0, limits::kHiddenMax}).value_or(0);
  config->kv_lora_rank = json->Int({"kv_lora_rank"}, width);
  config->qk_nope_head_dim = json->Int({"qk_nope_head_dim"}, width);
  config->qk_rope_head_dim = json->Int({"qk_rope_head_dim"}, {2, limits::kHiddenMax});
  config->v_head_dim = json->Int({"v_head_dim"}, width);
  if (config->qk_rope_head_dim % 2 != 0) {
    json->Fail("qk_rope_head_dim",
               absl::StrCat("is ", config->qk_rope_head_dim, "; it must be even"));
  }
}

RopeScaling ReadYarn(JsonFields* rope, ModelConfig* config) {
  RopeScaling yarn;
  yarn.factor = rope->Number({"factor"}, {1, kRopeFactorMax});
  yarn.original_max_position_embeddings =
      rope->Int({"original_max_position_embeddings"}, {1, limits::kModelLenMax});
  const NumberRange beta{0, kRopeFactorMax, true};
  yarn.beta_fast = rope->OptionalNumber({"beta_fast"}, beta).value_or(yarn.beta_fast);
  yarn.beta_slow = rope->OptionalNumber({"beta_slow"}, beta).value_or(yarn.beta_slow);
  if (yarn.beta_fast < yarn.beta_slow) {
    rope->Fail("beta_fast",
               absl::StrCat("is ", yarn.beta_fast, ", less than beta_slow, ", yarn.beta_slow));
  }
  yarn.mscale = rope->OptionalNumber({"mscale"}, {0, kScaleMax}).value_or(0);
  yarn.mscale_all_dim = rope->OptionalNumber({"mscale_all_dim"}, {0, kScaleMax}).value_or(0);
  yarn.attention_factor = rope->OptionalNumber({"attention_factor"}, {0, kScaleMax, true});
  yarn.truncate = rope->OptionalBool({"truncate"}).value_or(true);

  const double reach = yarn.factor * yarn.original_max_position_embeddings;
  if (rope->status().ok() && reach < config->max_position_embeddings) {
    config->warnings.push_back(
        absl::StrCat("max_position_embeddings is ", config->max_position_embeddings,
                     ", beyond factor * original_max_position_embeddings = ", reach,
                     ": positions above that were not what YaRN was scaled for"));
  }
  return yarn;
}

// rope_scaling with rope_theta beside it, or rope_parameters with rope_theta inside (transformers 5
// and newer).
void ReadRope(JsonFields* json, ModelConfig* config) {
  const NumberRange theta{1, kThetaMax, true};
  config->rope_interleave = json->OptionalBool({"rope_interleave"}).value_or(true);
  const std::optional<double> outer_theta = json->OptionalNumber({"rope_theta"}, theta);
  config->rope_theta = outer_theta.value_or(config->rope_theta);
  if (json->Has({"rope_scaling"}) && json->Has({"rope_parameters"})) {
    json->Fail("rope_parameters", "and rope_scaling are both given; remove one");
    return;
  }
  const char* name = json->Has({"rope_parameters"}) ? "rope_parameters" : "rope_scaling";
  if (!json->Has({name})) return;
  JsonFields rope = json->Object(name);
  const std::optional<double> inner_theta = rope.OptionalNumber({"rope_theta"}, theta);
  if (inner_theta.has_value() && outer_theta.value_or(*inner_theta) != *inner_theta) {
    rope.Fail("rope_theta",
              absl::StrCat("is ", *inner_theta, ", but rope_theta beside it is ", *outer_theta));
  }
  config->rope_theta = inner_theta.value_or(config->rope_theta);
  const std::string type = rope.String({"rope_type", "type"});
  if (type == "yarn") {
    config->rope_scaling = ReadYarn(&rope, config);
  } else if (type != "default" && json->status().ok()) {
    rope.Fail("rope_type",
              absl::StrCat("is \"", type, "\"; supported are \"default\" and \"yarn\""));
  }
}

void ReadRouting(JsonFields* json, ModelConfig* config) {
  const std::string scoring = json->OptionalString({"scoring_func"}).value_or("sigmoid");
  const std::string method = json->OptionalString({"topk_method"}).value_or("noaux_tc");
  config->norm_topk_prob = json->OptionalBool({"norm_topk_prob"}).value_or(scoring == "sigmoid");
  if (scoring == "sigmoid" && method == "noaux_tc") {
    config->scoring = MoeScoring::kSigmoid;
  } else if (scoring == "softmax" && (method == "greedy" || method == "group_limited_greedy")) {
    config->scoring = MoeScoring::kSoftmax;
    if (config->norm_topk_prob) {
      json->Fail("norm_topk_prob",
                 "is true; with scoring_func \"softmax\" only false is supported");
    }
    if (method == "greedy") config->n_group = config->topk_group = 1;
  } else {
    json->Fail("topk_method",
               absl::StrCat("is \"", method, "\" with scoring_func \"", scoring,
                            "\"; supported are \"noaux_tc\" with \"sigmoid\", and \"greedy\" or ",
                            "\"group_limited_greedy\" with \"softmax\""));
  }
}

// The relations that routing needs so that top_k experts can always be picked.
void CheckRouting(JsonFields* json, const ModelConfig& config) {
  const int experts = config.n_routed_experts;
  if (experts % config.n_group != 0) {
    json->Fail("n_group",
               absl::StrCat("is ", config.n_group, "; it must divide n_routed_experts, ", experts));
    return;
  }
  if (config.topk_group > config.n_group) {
    json->Fail("topk_group",
               absl::StrCat("is ", config.topk_group, ", more than n_group, ", config.n_group));
    return;
  }
  const int group_size = experts / config.n_group;
  if (config.scoring == MoeScoring::kSigmoid && config.n_group > 1 && group_size < 2) {
    json->Fail("n_group",
               absl::StrCat("is ", config.n_group, " for ", experts, " experts; a group ",
                            "is scored by its two best, so it needs at least two"));
  }
  if (config.num_experts_per_tok > config.topk_group * group_size) {
    json->Fail("num_experts_per_tok",
               absl::StrCat("is ", config.num_experts_per_tok, ", more than the ",
                            config.topk_group * group_size, " experts of the ", config.topk_group,
                            " groups that are kept"));
  }
}

void ReadFeedForward(JsonFields* json, ModelConfig* config) {
  const IntRange width{1, limits::kFfnWidthMax};
  config->intermediate_size = json->Int({"intermediate_size"}, width);
  config->n_routed_experts =
      json->OptionalInt({"n_routed_experts"}, {0, limits::kExpertsMax}).value_or(0);
  if (config->n_routed_experts == 0) return;
  config->moe_intermediate_size = json->Int({"moe_intermediate_size"}, width);
  config->first_k_dense_replace = json->Int({"first_k_dense_replace"}, {0, limits::kLayersMax});
  config->moe_layer_freq =
      json->OptionalInt({"moe_layer_freq"}, {1, limits::kLayersMax}).value_or(1);
  config->n_shared_experts =
      json->OptionalInt({"n_shared_experts"}, {0, limits::kSharedExpertsMax}).value_or(0);
  config->num_experts_per_tok =
      json->Int({"num_experts_per_tok"}, {1, limits::kExpertsPerTokenMax});
  config->n_group = json->Int({"n_group"}, {1, limits::kExpertsMax});
  config->topk_group = json->Int({"topk_group"}, {1, limits::kExpertsMax});
  config->routed_scaling_factor =
      static_cast<float>(json->Number({"routed_scaling_factor"}, {0, kScaleMax, true}));
  ReadRouting(json, config);
  if (json->status().ok()) CheckRouting(json, *config);
}

}  // namespace

absl::StatusOr<ModelConfig> ModelConfig::Parse(std::string_view json_text) {
  ASSIGN_OR_RETURN(JsonFields json, JsonFields::Parse("config.json", json_text));
  ModelConfig config;
  config.model_type = ReadModelType(&json);
  RETURN_IF_ERROR(json.status());
  RETURN_IF_ERROR(CheckServable(&json));
  config.dtype = ReadDType(&json);
  ReadSizes(&json, &config);
  ReadTokenIds(&json, &config);
  ReadAttention(&json, &config);
  ReadRope(&json, &config);
  ReadFeedForward(&json, &config);
  ReadHyperConnectionFields(&json, &config);
  ReadEngramFields(&json, &config);
  RETURN_IF_ERROR(json.status());
  return config;
}

absl::StatusOr<ModelConfig> ModelConfig::Load(const std::string& directory) {
  ASSIGN_OR_RETURN(const ConfigText text, ConfigText::Read(directory, "config.json"));
  ASSIGN_OR_RETURN(ModelConfig config, text.InDirectory(Parse(text.view())));
  for (const std::string& warning : config.warnings) {
    LOG_WARNING("{}/config.json: {}", directory, warning);
  }
  return config;
}

}  // namespace engram
