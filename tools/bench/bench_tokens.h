// SPDX-License-Identifier: Apache-2.0
// The token ids that engine_bench computes on: random ones, of which no n-gram comes twice, or a
// text's, with all its repetition.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engram/token_map.h"
#include "engine/model/model_config.h"

namespace engram::bench {

struct BenchTokens {
  // Of one sequence of one run; each has its own. A text begins again where it ends.
  std::int32_t At(int run, int sequence, std::int64_t position) const;

  TokenMap token_map;
  int vocab_size = 0;
  std::vector<std::int32_t> text;  // empty: random ids
};

// Uniform ids, and a token map that needs no tokenizer: raw id mod V′.
BenchTokens RandomTokens(const ModelConfig& config);
// The text of a file in the tokenizer of a checkpoint directory.
absl::StatusOr<BenchTokens> TokensOfText(const std::string& text_path,
                                         const std::string& directory);

}  // namespace engram::bench
