// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/openai_request.h"

#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

template <typename T>
void SetIfGiven(nlohmann::json* body, const char* key, const std::optional<T>& value) {
  if (value) (*body)[key] = *value;
}

}  // namespace

std::string OpenAiBody(const RequestSpec& request, const Options& options,
                       const std::string& model) {
  const SamplingOptions& sampling = options.sampling;
  nlohmann::json body = {{"model", model},
                         {"stream", true},
                         {"stream_options", {{"include_usage", true}}}};
  if (options.chat()) {
    nlohmann::json messages = nlohmann::json::array();
    for (const ChatTurn& turn : request.messages) {
      messages.push_back({{"role", turn.role}, {"content", turn.content}});
    }
    body["messages"] = std::move(messages);
    body["max_completion_tokens"] = request.output_tokens;
    if (sampling.logprobs) body["logprobs"] = true;
    SetIfGiven(&body, "top_logprobs", sampling.logprobs);
  } else {
    if (request.token_ids.empty()) {
      body["prompt"] = request.prompt;
    } else {
      body["prompt"] = request.token_ids;
    }
    body["max_tokens"] = request.output_tokens;
    SetIfGiven(&body, "logprobs", sampling.logprobs);
  }
  if (options.target.token_ids) body["return_token_ids"] = true;
  if (sampling.ignore_eos) body["ignore_eos"] = true;
  SetIfGiven(&body, "temperature", sampling.temperature);
  SetIfGiven(&body, "top_p", sampling.top_p);
  SetIfGiven(&body, "top_k", sampling.top_k);
  SetIfGiven(&body, "min_p", sampling.min_p);
  SetIfGiven(&body, "frequency_penalty", sampling.frequency_penalty);
  SetIfGiven(&body, "presence_penalty", sampling.presence_penalty);
  SetIfGiven(&body, "repetition_penalty", sampling.repetition_penalty);
  body.update(sampling.extra_body);
  // Prompts from files may hold bytes that are no UTF-8.
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace engram::bench
