// SPDX-License-Identifier: Apache-2.0
// Cuts text into the pieces that BPE merges within: tokenizer.json's sequence of Split regexes,
// each applied to the pieces of the one before as if they were texts of their own.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/text/regex.h"

namespace engram {

// One Split with behavior "Isolated": matches and what lies between them are pieces.
struct SplitPattern {
  std::string pattern;
  bool is_literal = false;  // {"String": …}; otherwise {"Regex": …}
  std::string key;          // where it stands, for errors: "pre_tokenizer.pretokenizers[0]"
};

// Immutable, thread-safe.
class PreTokenizer {
 public:
  // An error begins with the pattern's key.
  static absl::StatusOr<PreTokenizer> Create(std::span<const SplitPattern> patterns);

  // The pieces of `text`, in order, none empty; together they are `text`, which is valid
  // UTF-8 (Tokenizer has checked it).
  absl::StatusOr<std::vector<std::string_view>> Split(std::string_view text) const;

 private:
  explicit PreTokenizer(std::vector<Regex> steps) : steps_(std::move(steps)) {}

  std::vector<Regex> steps_;
};

}  // namespace engram
