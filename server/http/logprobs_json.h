// SPDX-License-Identifier: Apache-2.0
// Log-probabilities as JSON, in the three shapes that clients know. They are the model's own,
// before temperature and penalties.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/http/json_writer.h"
#include "server/text/tokenizer.h"

namespace engram {

// How tokens are named: by their text, or as "token_id:17".
struct TokenNames {
  const Tokenizer* tokenizer = nullptr;
  bool as_ids = false;

  std::string operator()(std::int32_t token) const;
};

// /v1/completions: {"text_offset", "token_logprobs", "tokens", "top_logprobs"}. `offset` counts the
// characters of the tokens' names and moves on. `top` best tokens beside the sampled one, which
// comes first. A token without a log-probability (a prompt's first) has nulls.
void WriteCompletionLogprobs(JsonWriter* json, const std::vector<const TokenResult*>& tokens,
                             int top, const TokenNames& names, int* offset);

// /v1/chat/completions: {"content": [{"token", "logprob", "bytes", "top_logprobs"}]}.
void WriteChatLogprobs(JsonWriter* json, const std::vector<TokenResult>& tokens, int top,
                       const TokenNames& names);

// "prompt_logprobs": [null, {"17": {"logprob", "rank", "decoded_token"}}, …].
void WritePromptLogprobs(JsonWriter* json, const PromptResult& prompt, int top,
                         const TokenNames& names);

}  // namespace engram
