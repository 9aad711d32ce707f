// SPDX-License-Identifier: Apache-2.0
// A whole answer in one body (answer.h). Every key is there, null or not; those that are always
// null belong to features of vLLM that this server does not have, and its clients look for them.
#include <utility>

#include "server/http/answer.h"
#include "server/http/logprobs_json.h"

namespace engram {

UnaryAnswer::UnaryAnswer(const AnswerContext* context, int choices)
    : context_(context), choices_(static_cast<std::size_t>(choices)) {}

void UnaryAnswer::Add(TextDelta delta) {
  Choice& choice = choices_[static_cast<std::size_t>(delta.choice)];
  choice.text += delta.text;
  for (TokenResult& token : delta.tokens) choice.tokens.push_back(std::move(token));
  delta.tokens.clear();
  if (delta.prompt) choice.prompt = delta.prompt;
  if (delta.finish == FinishReason::kAborted) aborted_ = true;
  if (delta.finish == FinishReason::kFailed) error_ = delta.error;
  if (delta.finish.has_value()) choice.end = std::move(delta);
}

std::string UnaryAnswer::Body(const TextGeneration& generation) const {
  const OpenAiRequest& request = context_->request;
  JsonWriter json;
  json.BeginObject();
  json.StringField("id", context_->id);
  json.StringField("object", request.chat ? "chat.completion" : "text_completion");
  json.IntegerField("created", context_->created);
  json.StringField("model", context_->model);
  json.Key("choices").BeginArray();
  for (int i = 0; i < static_cast<int>(choices_.size()); ++i) {
    request.chat ? WriteChatChoice(&json, i) : WriteCompletionChoice(&json, i, generation);
  }
  json.EndArray();
  json.NullField("service_tier");
  json.StringField("system_fingerprint", context_->fingerprint);
  json.Key("usage");
  WriteUsage(&json, generation.usage(), /*whole=*/true);
  if (request.chat) {
    const Choice& first = choices_.front();
    const TokenNames names{context_->tokenizer, false};
    json.Key("prompt_logprobs");
    if (request.prompt_logprobs.has_value() && first.prompt) {
      WritePromptLogprobs(&json, *first.prompt, *request.prompt_logprobs, names);
    } else {
      json.Null();
    }
    json.Key("prompt_token_ids");
    request.return_token_ids ? json.Integers(generation.prompt_tokens(0)) : json.Null();
    json.Key("prompt_text");
    request.return_prompt_text
        ? json.String(context_->tokenizer->Decode(generation.prompt_tokens(0), false))
        : json.Null();
  }
  json.NullField("kv_transfer_params").NullField("ec_transfer_params").NullField("metrics");
  return json.EndObject().Take();
}

void UnaryAnswer::WriteCompletionChoice(JsonWriter* json, int index,
                                        const TextGeneration& generation) const {
  const OpenAiRequest& request = context_->request;
  const Choice& choice = choices_[static_cast<std::size_t>(index)];
  const TokenNames names{context_->tokenizer, request.tokens_as_ids};
  json->BeginObject();
  json->IntegerField("index", index);
  json->StringField("text", choice.text);
  json->Key("logprobs");
  if (request.logprobs.has_value()) {
    std::vector<const TokenResult*> tokens;
    if (request.generate.echo && choice.prompt) {
      for (const TokenResult& token : choice.prompt->tokens) tokens.push_back(&token);
    }
    for (const TokenResult& token : choice.tokens) tokens.push_back(&token);
    int offset = 0;
    WriteCompletionLogprobs(json, tokens, *request.logprobs, names, &offset);
  } else {
    json->Null();
  }
  json->StringField("finish_reason",
                    FinishReasonText(choice.end.finish.value_or(FinishReason::kAborted)));
  WriteStopReason(json, choice.end);
  WriteTokenIds(json, request, choice.tokens);
  // Echoed logprobs are there too, in the shape that tells ranks.
  const auto prompt_top = request.prompt_logprobs.has_value() ? request.prompt_logprobs
                          : request.generate.echo             ? request.logprobs
                                                              : std::nullopt;
  json->Key("prompt_logprobs");
  if (prompt_top.has_value() && choice.prompt) {
    WritePromptLogprobs(json, *choice.prompt, *prompt_top, names);
  } else {
    json->Null();
  }
  json->Key("prompt_token_ids");
  const int prompt = index / request.generate.request.n;
  request.return_token_ids ? json->Integers(generation.prompt_tokens(prompt)) : json->Null();
  json->NullField("routed_experts");
  WriteGates(json, request, choice.tokens, choice.prompt.get());
  json->EndObject();
}

void UnaryAnswer::WriteChatChoice(JsonWriter* json, int index) const {
  const OpenAiRequest& request = context_->request;
  const Choice& choice = choices_[static_cast<std::size_t>(index)];
  json->BeginObject();
  json->IntegerField("index", index);
  json->Key("message").BeginObject();
  json->StringField("role", request.role);
  json->StringField("content", choice.text);
  json->NullField("refusal").NullField("annotations").NullField("audio");
  json->NullField("function_call").NullField("reasoning").EndObject();
  json->Key("logprobs");
  if (request.logprobs.has_value()) {
    WriteChatLogprobs(json, choice.tokens, *request.logprobs,
                      {context_->tokenizer, request.tokens_as_ids});
  } else {
    json->Null();
  }
  json->StringField("finish_reason",
                    FinishReasonText(choice.end.finish.value_or(FinishReason::kAborted)));
  WriteStopReason(json, choice.end);
  WriteTokenIds(json, request, choice.tokens);
  json->NullField("routed_experts");
  WriteGates(json, request, choice.tokens, choice.prompt.get());
  json->EndObject();
}

}  // namespace engram
