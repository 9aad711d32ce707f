// SPDX-License-Identifier: Apache-2.0
// What tokenizer.json and tokenizer_config.json say, as plain structs. Only the parts of the format
// whose effect is known are accepted: byte-level BPE, Split and ByteLevel pre-tokenizers, no
// normalizer. Anything else is an error naming the key, never a tokenizer that is slightly wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/text/added_tokens.h"
#include "server/text/pre_tokenizer.h"

namespace engram {

struct TokenizerJson {
  std::vector<std::pair<std::string, std::int32_t>> vocabulary;  // 0 ≤ id < limits::kVocabMax
  std::vector<std::pair<std::string, std::string>> merges;
  bool ignore_merges = false;
  std::vector<AddedToken> added_tokens;  // contents not empty, 0 ≤ id < limits::kVocabMax
  std::vector<SplitPattern> splits;
};

struct TokenizerConfigJson {
  std::optional<std::string> bos_token;
  std::optional<std::string> eos_token;
  std::optional<std::string> pad_token;
  bool add_bos_token = false;
  std::string chat_template;  // empty: none
};

// InvalidArgument for what is no tokenizer.json, Unimplemented for what is one of another kind;
// both begin with "tokenizer.json: " and the key.
absl::StatusOr<TokenizerJson> ParseTokenizerJson(std::string_view json);

// The same for tokenizer_config.json. An empty `json` is a missing file: all defaults.
absl::StatusOr<TokenizerConfigJson> ParseTokenizerConfig(std::string_view json);

}  // namespace engram
