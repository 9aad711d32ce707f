// SPDX-License-Identifier: Apache-2.0
// Finds added tokens ("<｜User｜>") in text, before anything else looks at it: leftmost, of several
// the longest, with the flags of tokenizer.json, as Hugging Face does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/text/text_range.h"

namespace engram {

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // takes the blanks before it
  bool rstrip = false;       // takes the blanks behind it
  bool normalized = false;   // looked for after the others, in what they left
  bool special = false;      // vanishes when special tokens are skipped
};

// A stretch of text: an added token with what its flags took, or ordinary text.
struct TextSegment {
  TextRange range;
  std::optional<std::int32_t> added_id;
};

// Immutable, thread-safe.
class AddedTokens {
 public:
  // REQUIRES: no content is empty.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // Segments of `text`, in order; none is empty, nothing between them is left out. A token that
  // begins with blanks which the one before took (rstrip) is found all the same, as in Hugging
  // Face: only there do segments overlap. No byte of `literal` (ascending ranges that do not
  // overlap) becomes part of an added token's content. `text` is valid UTF-8 (Tokenizer has checked
  // it).
  std::vector<TextSegment> Split(std::string_view text, std::span<const TextRange> literal) const;

 private:
  // A tree of the contents' bytes.
  class Trie {
   public:
    void Add(std::string_view content, std::size_t token);
    // The longest content that `text` begins with: index of the token.
    std::optional<std::size_t> LongestPrefix(std::string_view text) const;

   private:
    absl::flat_hash_map<std::uint64_t, std::uint32_t> children_;     // node << 8 | byte → node
    std::vector<std::optional<std::size_t>> ends_ = {std::nullopt};  // [node]; node 0 is the root
  };

  // Finds the tokens of `trie` whose content lies in one of the `allowed` ranges.
  std::vector<TextSegment> SplitOnce(std::string_view text, std::span<const TextRange> allowed,
                                     const Trie& trie) const;

  std::vector<AddedToken> tokens_;
  Trie raw_;
  Trie normalized_;
};

}  // namespace engram
