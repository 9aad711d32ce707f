// SPDX-License-Identifier: Apache-2.0
// See prompt_pieces.h.
#include "server/text/prompt_pieces.h"

#include "server/text/text_range.h"

namespace engram {

void PromptWriter::Write(std::string_view text, bool from_client) {
  if (text.empty()) return;
  if (!pieces_.empty() && pieces_.back().from_client == from_client) {
    pieces_.back().text += text;
  } else {
    pieces_.push_back({std::string(text), from_client});
  }
}

// The pieces are tokenized as one text, or a word that reaches across a border would be cut there.
absl::StatusOr<std::vector<std::int32_t>> EncodePieces(const Tokenizer& tokenizer,
                                                       const std::vector<PromptPiece>& pieces) {
  std::string text;
  std::vector<TextRange> from_client;
  for (const PromptPiece& piece : pieces) {
    const std::size_t begin = text.size();
    text += piece.text;
    if (piece.from_client) from_client.push_back({begin, text.size()});
  }
  return tokenizer.EncodeAround(text, from_client);
}

}  // namespace engram
