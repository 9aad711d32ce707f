// SPDX-License-Identifier: Apache-2.0
// See detokenizer.h.
#include "server/text/detokenizer.h"

#include "server/text/utf8.h"

namespace engram {

std::string Detokenizer::Add(std::int32_t id) {
  if (skip_special_tokens_ && tokenizer_->IsSpecial(id)) return "";
  held_ += tokenizer_->TokenBytes(id);
  std::string text;
  const std::size_t incomplete = AppendRepairedUtf8(held_, text);
  held_.erase(0, held_.size() - incomplete);
  return text;
}

std::string Detokenizer::Flush() {
  std::string text = RepairedUtf8(held_);
  held_.clear();
  return text;
}

}  // namespace engram
