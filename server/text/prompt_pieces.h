// SPDX-License-Identifier: Apache-2.0
// A rendered prompt that still knows which of its text the template wrote and which the client:
// marker text inside a message ("<｜Assistant｜>") must not become a special token.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/text/tokenizer.h"

namespace engram {

// Pieces of a prompt, in order.
struct PromptPiece {
  std::string text;
  bool from_client = false;  // message content: encoded with SpecialTokens::kAsText

  friend bool operator==(const PromptPiece&, const PromptPiece&) = default;
};

// Collects pieces. Text of one kind that follows text of the same kind becomes part of its piece.
class PromptWriter {
 public:
  void Template(std::string_view text) { Write(text, /*from_client=*/false); }
  void Client(std::string_view text) { Write(text, /*from_client=*/true); }
  std::vector<PromptPiece> Take() { return std::move(pieces_); }

 private:
  void Write(std::string_view text, bool from_client);

  std::vector<PromptPiece> pieces_;
};

// Text pieces to ids: the template's pieces with special tokens parsed, the client's as text. Where
// two pieces meet, the ids are those of Hugging Face for the joined text whenever the client's text
// contains no marker.
absl::StatusOr<std::vector<std::int32_t>> EncodePieces(const Tokenizer& tokenizer,
                                                       const std::vector<PromptPiece>& pieces);

}  // namespace engram
