// SPDX-License-Identifier: Apache-2.0
// Any text as config.json and as generation_config.json: an error that says something, or numbers
// that the model may rely on.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/limits.h"
#include "engine/model/generation_config.h"
#include "engine/model/model_config.h"

namespace {

using engram::ModelConfig;

void CheckRelations(const ModelConfig& config) {
  CHECK_GT(config.vocab_size, 0);
  CHECK_GT(config.hidden_size, 0);
  CHECK_GT(config.num_layers, 0);
  CHECK_EQ(config.qk_rope_head_dim % 2, 0);
  CHECK_GT(config.rope_theta, 1);
  if (config.n_routed_experts > 0) {
    CHECK_EQ(config.n_routed_experts % config.n_group, 0);
    const int kept = config.n_routed_experts / config.n_group * config.topk_group;
    CHECK_LE(config.num_experts_per_tok, kept);
    CHECK_GT(config.moe_intermediate_size, 0);
  }
  if (config.has_engram()) {
    CHECK_EQ(static_cast<int>(config.engram.vocab_sizes.size()), config.engram.orders());
    CHECK_LE(config.conv_window(), engram::limits::kConvWindowMax);
    for (std::size_t i = 0; i < config.engram.layer_ids.size(); ++i) {
      CHECK_GE(config.engram.layer_ids[i], i == 0 ? 0 : config.engram.layer_ids[i - 1] + 1);
      CHECK_LT(config.engram.layer_ids[i], config.num_layers);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto config = ModelConfig::Parse(text); config.ok()) {
    CheckRelations(*config);
  } else {
    CHECK(!config.status().message().empty());
  }
  if (const auto config = engram::GenerationConfig::Parse(text, 2048); config.ok()) {
    CHECK(config->temperature.value_or(1) >= 0);
    CHECK(config->top_p.value_or(1) > 0);
  } else {
    CHECK(!config.status().message().empty());
  }
  return 0;
}
