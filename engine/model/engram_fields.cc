// SPDX-License-Identifier: Apache-2.0
#include "engine/model/engram_fields.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/limits.h"

namespace engram {
namespace {

// deepseek_v3 is a model without these parts: `key` must be absent or say so.
void RefuseInPlainModel(JsonFields* json, std::string_view key, std::string_view value) {
  json->Fail(key, absl::StrCat("is ", std::string(value), ", but model_type deepseek_v3 has none; ",
                               "did you mean deepseek_v3_engram?"));
}

// Megatron counts layers from one and has names of its own for these; one of them gives it away.
bool IsMegatronSpelling(JsonFields* json) {
  return json->Has({"engram_max_ngram_order"}) || json->Has({"engram_num_hash_heads"}) ||
         json->Has({"engram_hash_seed"});
}

bool IsMaxTextSpelling(JsonFields* json) {
  return json->Has({"engram_layers"}) || json->Has({"engram_num_heads"}) ||
         json->Has({"engram_vocab_bases"});
}

std::vector<int> ReadLayerIds(JsonFields* json, const ModelConfig& config) {
  const int first = IsMegatronSpelling(json) ? 1 : 0;
  constexpr std::string_view kName = "engram_layer_ids";
  std::vector<int> ids;
  for (const std::int64_t id :
       json->IntList({kName, "engram_layers", "layer_ids"}, {first, config.num_layers - 1 + first},
                     limits::kLayersMax)) {
    if (!ids.empty() && id - first <= ids.back()) {
      json->Fail(kName, absl::StrCat("has ", id, " after ", ids.back() + first,
                                     "; the ids must ascend, each once"));
    }
    ids.push_back(static_cast<int>(id - first));
  }
  return ids;
}

// The width of a row, or the demo's name for what all heads of one order have together.
int ReadHeadDim(JsonFields* json, int heads) {
  constexpr std::string_view kPerOrder = "n_embed_per_ngram";
  const IntRange range{1, limits::kEngramHeadDimMax};
  if (!json->Has({kPerOrder})) return json->Int({"engram_head_dim"}, range);
  const std::int64_t width = json->Int({kPerOrder}, {1, range.max * heads});
  if (width % heads != 0) {
    json->Fail(kPerOrder, absl::StrCat("is ", width, "; it must be a multiple of the ", heads,
                                       " heads of an order"));
  }
  const std::int64_t given = json->OptionalInt({"engram_head_dim"}, range).value_or(width / heads);
  if (given != width / heads) {
    json->Fail(kPerOrder, absl::StrCat("is ", width, " for ", heads, " heads, so a row has ",
                                       width / heads, ", but engram_head_dim is ", given));
  }
  return static_cast<int>(width / heads);
}

// The base table size of each order; one number stands for all.
std::vector<std::int64_t> ReadTableSizes(JsonFields* json, const EngramConfig& engram) {
  const std::int64_t size_max = limits::kEngramRowsMax / engram.lookups();
  const JsonFields::Names names = {"engram_vocab_size", "engram_vocab_bases"};
  std::vector<std::int64_t> sizes = json->IntOrList(names, {1, size_max}, limits::kNgramOrderMax);
  if (!json->Has(names)) json->Fail("engram_vocab_size", "is missing");
  if (sizes.size() == 1) sizes.assign(static_cast<std::size_t>(engram.orders()), sizes[0]);
  if (json->status().ok() && static_cast<int>(sizes.size()) != engram.orders()) {
    json->Fail(
        "engram_vocab_size",
        absl::StrCat("has ", sizes.size(), " entries; expected one number or ", engram.orders(),
                     ", one for each order from 2 to ", engram.max_ngram_size));
  }
  return sizes;
}

void ReadTables(JsonFields* json, ModelConfig* config) {
  EngramConfig& engram = config->engram;
  engram.max_ngram_size =
      json->Int({"engram_max_ngram_size", "engram_max_ngram_order", "max_ngram_size"},
                {2, limits::kNgramOrderMax});
  engram.heads =
      json->Int({"engram_n_heads", "engram_num_heads", "engram_num_hash_heads", "n_head_per_ngram"},
                {1, limits::kEngramHeadsMax});
  engram.head_dim = ReadHeadDim(json, engram.heads);
  engram.vocab_sizes = ReadTableSizes(json, engram);
  engram.num_embeddings =
      json->IntOrList({"engram_num_embeddings"}, {1, limits::kEngramRowsMax}, limits::kLayersMax);
  if (!engram.num_embeddings.empty() && engram.num_embeddings.size() != engram.layer_ids.size()) {
    json->Fail("engram_num_embeddings",
               absl::StrCat("has ", engram.num_embeddings.size(), " entries, engram_layer_ids has ",
                            engram.layer_ids.size()));
  }
  engram.compressed_vocab_size =
      json->OptionalInt({"engram_compressed_vocab_size"}, {1, config->vocab_size}).value_or(0);
  engram.pad_token_id =
      json->Int({"engram_pad_token_id", "engram_pad_id"}, {0, config->vocab_size - 1});
  engram.seed = json->OptionalInt({"engram_seed", "engram_hash_seed"}, {0, INT64_MAX}).value_or(0);
}

void ReadConvolution(JsonFields* json, ModelConfig* config) {
  config->engram_kernel_size =
      json->Int({"engram_kernel_size", "kernel_size"}, {0, limits::kConvWindowMax + 1});
  if (config->engram_kernel_size == 0) return;
  config->engram_conv_dilation =
      json->OptionalInt({"engram_conv_dilation"}, {1, limits::kConvWindowMax})
          .value_or(config->engram.max_ngram_size);
  config->engram_conv_eps = static_cast<float>(
      json->OptionalNumber({"engram_conv_eps"}, {0, 1}).value_or(config->engram_conv_eps));
  if (config->conv_window() > limits::kConvWindowMax) {
    json->Fail(
        "engram_kernel_size",
        absl::StrCat("is ", config->engram_kernel_size, " with engram_conv_dilation ",
                     config->engram_conv_dilation, ", which looks back ", config->conv_window(),
                     " tokens; at most ", limits::kConvWindowMax, " are allowed"));
  }
}

}  // namespace

void ReadHyperConnectionFields(JsonFields* json, ModelConfig* config) {
  const JsonFields::Names names = {"hc_mult", "mhc_expansion_rate", "mhc_num_residual_streams"};
  config->hc_mult = json->OptionalInt(names, {1, limits::kStreamsMax}).value_or(1);
  if (config->hc_mult == 1) return;  // the other fields have no meaning
  if (config->model_type == "deepseek_v3") {
    RefuseInPlainModel(json, "hc_mult", absl::StrCat(config->hc_mult));
    return;
  }
  config->hc_sinkhorn_iters =
      json->OptionalInt({"hc_sinkhorn_iters", "sinkhorn_iterations", "mhc_sinkhorn_iterations"},
                        {1, limits::kSinkhornItersMax})
          .value_or(config->hc_sinkhorn_iters);
  config->hc_eps =
      static_cast<float>(json->OptionalNumber({"hc_eps"}, {0, 1}).value_or(config->hc_eps));
  const std::optional<std::string> exit = json->OptionalString({"hc_head_mode"});
  if (exit == "learned") config->hc_exit = HcExit::kLearned;
  if (exit == "sum") config->hc_exit = HcExit::kSum;
  if (exit.has_value() && !config->hc_exit.has_value()) {
    json->Fail("hc_head_mode", absl::StrCat("is \"", *exit, "\"; expected \"learned\" or \"sum\""));
  }
}

void ReadEngramFields(JsonFields* json, ModelConfig* config) {
  if (config->model_type == "deepseek_v3") {
    if (json->Has({"engram_layer_ids"}) &&
        !json->IntList({"engram_layer_ids"}, {0, limits::kLayersMax}, limits::kLayersMax).empty()) {
      RefuseInPlainModel(json, "engram_layer_ids", "not empty");
    }
    return;
  }
  if (!json->status().ok()) return;  // the ranges below need the sizes read before
  config->engram.layer_ids = ReadLayerIds(json, *config);
  if (config->engram.layer_ids.empty()) return;
  ReadTables(json, config);
  ReadConvolution(json, config);
  config->engram_norm_eps = static_cast<float>(json->Number({"engram_norm_eps"}, {0, 1}));
  config->engram_gate_sqrt = json->OptionalBool({"engram_gate_sqrt"}).value_or(true);
  config->engram_bias = json->OptionalBool({"engram_bias"}).value_or(false);
  const char* dialect = IsMegatronSpelling(json)  ? "Megatron"
                        : IsMaxTextSpelling(json) ? "MaxText"
                                                  : nullptr;
  if (dialect != nullptr) {
    config->warnings.push_back(absl::StrCat("the Engram keys are spelled as in ", dialect,
                                            ", whose hash is not DeepSeek's: a table that ",
                                            "was trained there is read at the wrong rows; only a "
                                            "table trained with DeepSeek's hash fits"));
  }
}

}  // namespace engram
