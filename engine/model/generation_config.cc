// SPDX-License-Identifier: Apache-2.0
#include "engine/model/generation_config.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config/limits.h"
#include "engine/model/config_text.h"
#include "engine/model/json_fields.h"

namespace engram {

absl::StatusOr<GenerationConfig> GenerationConfig::Parse(std::string_view json_text,
                                                         int vocab_size) {
  ASSIGN_OR_RETURN(JsonFields json, JsonFields::Parse("generation_config.json", json_text));
  const IntRange id{0, vocab_size - 1};
  GenerationConfig config;
  config.do_sample = json.OptionalBool({"do_sample"});
  config.temperature = json.OptionalNumber({"temperature"}, {0, 2});
  config.top_k = json.OptionalInt({"top_k"}, {0, limits::kVocabMax});
  config.top_p = json.OptionalNumber({"top_p"}, {0, 1, true});
  config.min_p = json.OptionalNumber({"min_p"}, {0, 1});
  config.repetition_penalty = json.OptionalNumber({"repetition_penalty"}, {0, 1e6, true});
  config.max_new_tokens = json.OptionalInt({"max_new_tokens"}, {1, limits::kModelLenMax});
  for (const std::int64_t eos : json.IntOrList({"eos_token_id"}, id, limits::kEosTokensMax)) {
    config.eos_token_ids.push_back(static_cast<std::int32_t>(eos));
  }
  config.bos_token_id = json.OptionalInt({"bos_token_id"}, id);
  config.pad_token_id = json.OptionalInt({"pad_token_id"}, id);
  RETURN_IF_ERROR(json.status());
  return config;
}

absl::StatusOr<GenerationConfig> GenerationConfig::Load(const std::string& directory,
                                                        int vocab_size) {
  const auto text = ConfigText::Read(directory, "generation_config.json");
  if (absl::IsNotFound(text.status())) return GenerationConfig();
  if (!text.ok()) return text.status();
  return text->InDirectory(Parse(text->view(), vocab_size));
}

}  // namespace engram
