// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding of one piece of text: adjacent tokens are joined, the merge that was learned
// first before all others, until no merge applies. O(n log n) in the piece's bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "server/text/vocabulary.h"

namespace engram {

struct BpeOptions {
  std::vector<std::pair<std::string, std::string>> merges = {};  // in the order they were learned
  bool ignore_merges = false;  // a piece that is a token of the vocabulary as a whole is that token
  // Never a whole piece: where their text gets here, it is to be ordinary text.
  std::vector<std::string> added_tokens = {};
};

// Immutable, thread-safe.
class Bpe {
 public:
  // InvalidArgument if a token of a merge, or the token of a byte that occurs in UTF-8, is missing.
  // A model with all bytes never meets an unknown character. `vocabulary` without added tokens.
  static absl::StatusOr<Bpe> Create(const Vocabulary& vocabulary, const BpeOptions& options);

  // Appends the ids of `piece`, which is valid UTF-8 (Tokenizer has checked it).
  void Encode(std::string_view piece, std::vector<std::int32_t>& ids) const;

 private:
  struct Merge {
    std::uint32_t rank = 0;
    std::int32_t id = 0;  // of the joined token
  };
  struct Symbol;
  struct Candidate;
  class Word;

  Bpe() = default;
  void AddWholePieces(const Vocabulary& vocabulary, std::span<const std::string> added_tokens);
  const Merge* FindMerge(std::int32_t left, std::int32_t right) const;

  std::array<std::int32_t, 256> byte_ids_{};
  absl::flat_hash_map<std::uint64_t, Merge> merges_;             // left << 32 | right
  absl::flat_hash_map<std::string, std::int32_t> whole_pieces_;  // bytes → id; for ignore_merges
};

}  // namespace engram
