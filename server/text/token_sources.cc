// SPDX-License-Identifier: Apache-2.0
// See token_sources.h.
#include "server/text/token_sources.h"

#include <cstdint>
#include <span>
#include <string>

namespace engram {

std::vector<TokenSource> TokenSources(const Tokenizer& tokenizer) {
  std::vector<TokenSource> sources;
  sources.reserve(tokenizer.size());
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) {
    sources.push_back({tokenizer.Decode(std::span(&id, 1), /*skip_special_tokens=*/false),
                       std::string(tokenizer.TokenString(id))});
  }
  return sources;
}

}  // namespace engram
