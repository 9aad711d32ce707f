// SPDX-License-Identifier: Apache-2.0
// Token compression (paper §2.2, appendix C; spec A.2): raw token ids whose texts differ only in
// case, accents, width or blanks share one compressed id, which is what n-grams are hashed from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engram {

// One raw token as the tokenizer sees it.
struct TokenSource {
  std::string text;        // decoded alone, special tokens kept; U+FFFD where bytes are incomplete
  std::string vocabulary;  // the vocabulary's own spelling, byte-level alphabet
};

// Immutable. Raw ids [0, size) → compressed ids [0, compressed_size).
class TokenMap {
 public:
  TokenMap() = default;
  TokenMap(std::vector<std::int32_t> raw_to_compressed, std::int32_t compressed_size)
      : raw_to_compressed_(std::move(raw_to_compressed)), compressed_size_(compressed_size) {}

  std::int32_t size() const { return static_cast<std::int32_t>(raw_to_compressed_.size()); }
  std::int32_t compressed_size() const { return compressed_size_; }
  // REQUIRES: 0 ≤ raw < size().
  std::int32_t Compress(std::int32_t raw) const { return raw_to_compressed_[raw]; }
  std::span<const std::int32_t> raw_to_compressed() const { return raw_to_compressed_; }

 private:
  std::vector<std::int32_t> raw_to_compressed_;
  std::int32_t compressed_size_ = 0;
};

// Keys get ids in order of first appearance over ascending raw ids.
TokenMap BuildTokenMap(std::span<const TokenSource> tokens);

// NFKC, NFD, strip marks, lower-case, collapse blanks; as Hugging Face's normalizers do it. Valid
// UTF-8 in and out. For tests and tools.
std::string NormalizeTokenText(std::string_view text);

// What a token is grouped by: its normalised text, the text itself if that is empty, or the
// vocabulary spelling if the text is not whole characters.
std::string TokenKey(const TokenSource& token);

}  // namespace engram
