// SPDX-License-Identifier: Apache-2.0
// What the engine's token compression is built from: each token's text and spelling, as the
// tokenizer gives them. The engine does not know tokenizers.
#pragma once

#include <vector>

#include "engine/engram/token_map.h"
#include "server/text/tokenizer.h"

namespace engram {

// [tokenizer.size()], by id.
std::vector<TokenSource> TokenSources(const Tokenizer& tokenizer);

}  // namespace engram
