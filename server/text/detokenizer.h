// SPDX-License-Identifier: Apache-2.0
// Token ids to text, one at a time, never half a character: what could still become a character is
// held back, an ill-formed byte shows as U+FFFD at once. The deltas and the flush together are
// exactly Tokenizer::Decode of all ids.
#pragma once

#include <cstdint>
#include <string>

#include "server/text/tokenizer.h"

namespace engram {

class Detokenizer {
 public:
  // `tokenizer` must outlive this.
  Detokenizer(const Tokenizer* tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  // The text that `id` adds.
  std::string Add(std::int32_t id);
  // What the end of the stream adds: U+FFFD if a character was left incomplete.
  std::string Flush();

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_tokens_;
  std::string held_;  // a proper prefix of some character, at most 3 bytes
};

}  // namespace engram
