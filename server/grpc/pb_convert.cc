// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/pb_convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/field_error.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"

namespace engram {
namespace {

constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant",
                                                    "tool"};

absl::StatusOr<Prompt> ToChatPrompt(const pb::ChatPrompt& chat) {
  if (chat.messages_size() < 1 || chat.messages_size() > limits::kChatMessagesMax) {
    return InvalidField(
        "chat.messages",
        absl::StrCat(chat.messages_size(), " messages; must be 1 to ", limits::kChatMessagesMax));
  }
  ChatPrompt prompt;
  for (const pb::ChatMessage& message : chat.messages()) {
    // Some templates skip what they do not know: a mistyped role would silently lose the message.
    if (std::find(kRoles.begin(), kRoles.end(), message.role()) == kRoles.end()) {
      return InvalidField(absl::StrCat("chat.messages[", prompt.messages.size(), "].role"),
                          absl::StrCat("'", message.role(),
                                       "' is none of system, developer, user, assistant, tool"));
    }
    ChatMessage out;
    out.role = message.role() == "developer" ? "system" : message.role();
    if (message.has_content()) out.content = message.content();
    for (const pb::ToolCall& call : message.tool_calls()) {
      out.tool_calls.push_back({"function", call.name(), call.arguments()});
    }
    prompt.messages.push_back(std::move(out));
  }
  if (chat.has_add_generation_prompt()) {
    prompt.options.add_generation_prompt = chat.add_generation_prompt();
  }
  prompt.options.continue_final_message = chat.continue_final_message();
  return Prompt(std::move(prompt));
}

absl::Status NoInput(std::string_view choices) {
  return InvalidField("input", absl::StrCat("one of ", ToAbsl(choices), " is required"));
}

absl::StatusOr<Prompt> InputOf(const pb::GenerateRequest& request) {
  switch (request.input_case()) {
    case pb::GenerateRequest::kPrompt:
      return Prompt(request.prompt());
    case pb::GenerateRequest::kTokenIds:
      return Prompt(std::vector<std::int32_t>(request.token_ids().ids().begin(),
                                              request.token_ids().ids().end()));
    case pb::GenerateRequest::kChat:
      return ToChatPrompt(request.chat());
    case pb::GenerateRequest::INPUT_NOT_SET:
      break;
  }
  return NoInput("prompt, token_ids or chat");
}

// The frontend cuts what is over, as vLLM does over HTTP; this API refuses it.
absl::Status CheckLogitBias(const pb::GenerateRequest& request) {
  constexpr float kBiasMax = 100;
  for (const auto& [id, bias] : request.logit_bias()) {
    if (!(std::abs(bias) <= kBiasMax)) {
      return InvalidField("logit_bias",
                          absl::StrCat("of token ", id, " must be in [-100, 100], got ", bias));
    }
  }
  return absl::OkStatus();
}

void SetSampling(const pb::GenerateRequest& request, SamplingParams* sampling) {
  if (request.has_temperature()) sampling->temperature = request.temperature();
  if (request.has_top_k()) sampling->top_k = request.top_k();
  if (request.has_top_p()) sampling->top_p = request.top_p();
  if (request.has_min_p()) sampling->min_p = request.min_p();
  if (request.has_repetition_penalty()) {
    sampling->repetition_penalty = request.repetition_penalty();
  }
  if (request.has_presence_penalty()) sampling->presence_penalty = request.presence_penalty();
  if (request.has_frequency_penalty()) sampling->frequency_penalty = request.frequency_penalty();
  if (request.has_logprobs()) sampling->logprobs = request.logprobs();
  sampling->logit_bias.assign(request.logit_bias().begin(), request.logit_bias().end());
  std::sort(sampling->logit_bias.begin(), sampling->logit_bias.end());
  sampling->allowed_token_ids.assign(request.allowed_token_ids().begin(),
                                     request.allowed_token_ids().end());
  std::sort(sampling->allowed_token_ids.begin(), sampling->allowed_token_ids.end());
}

// All of RequestParams but prompt and sampling.
void SetRequest(const pb::GenerateRequest& request, RequestParams* params) {
  params->id = request.request_id();
  if (request.has_n()) params->n = request.n();
  if (request.has_max_tokens()) params->max_tokens = request.max_tokens();
  params->min_tokens = request.min_tokens();
  params->ignore_eos = request.ignore_eos();
  params->stop_token_ids.assign(request.stop_token_ids().begin(), request.stop_token_ids().end());
  if (request.has_seed()) params->seed = request.seed();
  if (request.has_prompt_logprobs()) params->prompt_logprobs = request.prompt_logprobs();
  params->priority = request.priority();
  params->cache_salt = request.cache_salt();
  if (request.engram().has_enabled()) params->engram_enabled = request.engram().enabled();
  params->engram_gates = request.engram().gates();
}

// "prompt" and "prompt[7]" to "token_ids.ids" and "token_ids.ids[7]"; "messages…" to
// "chat.messages…".
std::string ProtoPath(std::string field, bool is_chat, bool is_token_ids) {
  if (is_chat && (absl::StartsWith(field, "messages") || field == "add_generation_prompt" ||
                  field == "continue_final_message")) {
    return "chat." + field;
  }
  if (is_token_ids && absl::StartsWith(field, "prompt") && field != "prompt_logprobs") {
    return "token_ids.ids" + field.substr(sizeof "prompt" - 1);
  }
  return field;
}

absl::Status WithPath(absl::Status status, bool is_chat, bool is_token_ids) {
  const auto field = FieldOf(status);
  if (!field.has_value()) return status;
  return WithField(std::move(status), ProtoPath(*field, is_chat, is_token_ids));
}

void SetLogprob(const TokenLogprob& logprob, pb::TokenLogprob* out) {
  out->set_token_id(logprob.token);
  out->set_logprob(logprob.logprob);
  out->set_rank(logprob.rank);
}

void SetLogprobs(const TokenResult& token, pb::TokenLogprobs* out) {
  if (token.logprob.has_value()) SetLogprob(*token.logprob, out->mutable_token());
  for (const TokenLogprob& top : token.top_logprobs) SetLogprob(top, out->add_top());
}

void SetGates(const TokenResult& token, pb::TokenGates* out) {
  out->mutable_values()->Assign(token.gates.begin(), token.gates.end());
}

}  // namespace

ResponseShape ShapeOf(const pb::GenerateRequest& request) {
  return {.logprobs = request.has_logprobs(),
          .prompt_logprobs = request.has_prompt_logprobs(),
          .prompt_token_ids = request.return_prompt_token_ids(),
          .gates = request.engram().gates(),
          .prompt_only = request.has_max_tokens() && request.max_tokens() == 0};
}

absl::StatusOr<GenerateParams> ToGenerateParams(const pb::GenerateRequest& request,
                                                RequestParams defaults) {
  GenerateParams params;
  params.request = std::move(defaults);
  ASSIGN_OR_RETURN(params.prompts.emplace_back(), InputOf(request));
  RETURN_IF_ERROR(CheckLogitBias(request));
  SetSampling(request, &params.request.sampling);
  SetRequest(request, &params.request);
  params.stop.assign(request.stop().begin(), request.stop().end());
  params.include_stop_str_in_output = request.include_stop_str_in_output();
  if (request.has_skip_special_tokens()) {
    params.skip_special_tokens = request.skip_special_tokens();
  }
  if (request.has_add_special_tokens()) params.add_special_tokens = request.add_special_tokens();
  // To the frontend, a request for the prompt alone is one to repeat it.
  params.echo = request.has_max_tokens() && request.max_tokens() == 0;
  if (request.has_time_limit_ms()) params.time_limit_ms = request.time_limit_ms();
  return params;
}

absl::StatusOr<Prompt> ToPrompt(const pb::TokenizeRequest& request) {
  switch (request.input_case()) {
    case pb::TokenizeRequest::kPrompt:
      return Prompt(request.prompt());
    case pb::TokenizeRequest::kChat:
      return ToChatPrompt(request.chat());
    case pb::TokenizeRequest::INPUT_NOT_SET:
      break;
  }
  return NoInput("prompt or chat");
}

absl::Status WithProtoField(absl::Status status, pb::GenerateRequest::InputCase input) {
  return WithPath(std::move(status), input == pb::GenerateRequest::kChat,
                  input == pb::GenerateRequest::kTokenIds);
}

absl::Status WithProtoField(absl::Status status, pb::TokenizeRequest::InputCase input) {
  return WithPath(std::move(status), input == pb::TokenizeRequest::kChat, false);
}

absl::Status WithDetokenizeField(absl::Status status) {
  if (FieldOf(status) != "tokens") return status;
  return WithField(std::move(status), "token_ids");
}

pb::FinishReason ToFinishReason(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return pb::FINISH_REASON_STOP;
    case FinishReason::kLength:
      return pb::FINISH_REASON_LENGTH;
    case FinishReason::kDeadline:
      return pb::FINISH_REASON_TIME_LIMIT;
    case FinishReason::kCancelled:
    case FinishReason::kAborted:
    case FinishReason::kFailed:  // the call's status says it
      break;
  }
  return pb::FINISH_REASON_ABORTED;
}

void AppendDelta(const TextDelta& delta, const ResponseShape& shape, pb::Choice* choice) {
  choice->set_index(delta.choice);
  if (!shape.prompt_only) choice->mutable_text()->append(delta.text);
  for (const TokenResult& token : delta.tokens) {
    choice->add_token_ids(token.token);
    if (shape.logprobs) SetLogprobs(token, choice->add_logprobs());
    if (shape.gates) SetGates(token, choice->add_gates());
  }
  if (!delta.finish.has_value()) return;
  choice->set_finish_reason(ToFinishReason(*delta.finish));
  if (delta.stop_string.has_value()) choice->set_stop_string(*delta.stop_string);
  if (delta.stop_token.has_value()) choice->set_stop_token_id(*delta.stop_token);
}

void FillPromptInfo(const std::vector<std::int32_t>& prompt_tokens, const PromptResult* result,
                    const ResponseShape& shape, pb::PromptInfo* info) {
  if (shape.prompt_token_ids) {
    info->mutable_token_ids()->Assign(prompt_tokens.begin(), prompt_tokens.end());
  }
  if (result == nullptr) return;
  for (const TokenResult& token : result->tokens) {
    if (shape.prompt_logprobs) SetLogprobs(token, info->add_logprobs());
    if (shape.gates) SetGates(token, info->add_gates());
  }
}

void FillUsage(const Usage& usage, pb::Usage* out) {
  out->set_prompt_tokens(usage.prompt_tokens);
  out->set_completion_tokens(usage.completion_tokens);
  out->set_cached_tokens(usage.cached_tokens);
}

}  // namespace engram
