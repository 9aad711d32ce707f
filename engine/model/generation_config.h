// SPDX-License-Identifier: Apache-2.0
// generation_config.json: what the model's makers recommend for sampling. Only read and checked
// here; the server decides which of it becomes a default.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace engram {

// Absent = the file does not say. Ranges are those of SamplingParams (engine/request.h).
struct GenerationConfig {
  std::optional<bool> do_sample;  // false: greedy, whatever temperature says
  std::optional<float> temperature;
  std::optional<int> top_k;  // 0 = off
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  std::optional<int> max_new_tokens;
  std::vector<std::int32_t> eos_token_ids;  // may be more than config.json's
  std::optional<std::int32_t> bos_token_id;
  std::optional<std::int32_t> pad_token_id;

  // `json`: the file's contents. Token ids must lie below `vocab_size`. Unknown keys are ignored:
  // most of them are for other kinds of decoding.
  static absl::StatusOr<GenerationConfig> Parse(std::string_view json, int vocab_size);
  // Reads `directory`/generation_config.json; a checkpoint without one recommends nothing.
  static absl::StatusOr<GenerationConfig> Load(const std::string& directory, int vocab_size);
};

}  // namespace engram
