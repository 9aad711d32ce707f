// SPDX-License-Identifier: Apache-2.0
// An answer as server-sent events (answer.h). Chunks carry a fixed subset of a unary answer's keys:
// which one is vLLM's choice, and clients depend on it.
#include <utility>

#include "server/http/answer.h"
#include "server/http/logprobs_json.h"
#include "server/http/sse.h"

namespace engram {

StreamedAnswer::StreamedAnswer(const AnswerContext* context, int choices)
    : context_(context),
      choices_(choices),
      begun_(static_cast<std::size_t>(choices)),
      text_offsets_(static_cast<std::size_t>(choices)) {}

std::string StreamedAnswer::Events(const TextDelta& delta, const TextGeneration& generation) {
  const auto index = static_cast<std::size_t>(delta.choice);
  const bool first = !begun_[index];
  if (running_.prompt_tokens == 0) running_.prompt_tokens = generation.usage().prompt_tokens;
  std::string events;
  if (context_->request.chat && first) {
    // The roles of all choices come before the first text of any.
    for (int i = 0; i < choices_; ++i) {
      if (!begun_[static_cast<std::size_t>(i)]) events += RoleEvent(i, generation);
      begun_[static_cast<std::size_t>(i)] = true;
    }
  }
  begun_[index] = true;
  running_.completion_tokens += static_cast<int>(delta.tokens.size());
  events += context_->request.chat ? ChatEvent(delta) : CompletionEvent(delta, generation, first);
  return events;
}

std::string StreamedAnswer::Tail(const Usage& usage) const {
  std::string events;
  if (context_->request.include_usage) {
    JsonWriter json;
    WriteHead(&json);
    json.Key("choices").BeginArray().EndArray();
    json.Key("usage");
    WriteUsage(&json, usage, /*whole=*/false);
    json.StringField("system_fingerprint", context_->fingerprint);
    events += SseEvent(json.EndObject().Take());
  }
  return events + std::string(kSseDone);
}

// Opens the chunk's object.
void StreamedAnswer::WriteHead(JsonWriter* json) const {
  json->BeginObject();
  json->StringField("id", context_->id);
  json->StringField("object", context_->request.chat ? "chat.completion.chunk" : "text_completion");
  json->IntegerField("created", context_->created);
  json->StringField("model", context_->model);
}

std::string StreamedAnswer::CompletionEvent(const TextDelta& delta,
                                            const TextGeneration& generation, bool first) {
  const OpenAiRequest& request = context_->request;
  const TokenNames names{context_->tokenizer, request.tokens_as_ids};
  JsonWriter json;
  WriteHead(&json);
  json.Key("choices").BeginArray().BeginObject();
  json.IntegerField("index", delta.choice);
  json.StringField("text", delta.text);
  json.Key("logprobs");
  if (request.logprobs.has_value()) {
    std::vector<const TokenResult*> tokens;
    if (request.generate.echo && first && delta.prompt) {
      for (const TokenResult& token : delta.prompt->tokens) tokens.push_back(&token);
    }
    for (const TokenResult& token : delta.tokens) tokens.push_back(&token);
    WriteCompletionLogprobs(&json, tokens, *request.logprobs, names,
                            &text_offsets_[static_cast<std::size_t>(delta.choice)]);
  } else {
    json.Null();
  }
  json.Key("finish_reason");
  delta.finish.has_value() ? json.String(FinishReasonText(*delta.finish)) : json.Null();
  WriteStopReason(&json, delta);
  json.Key("prompt_token_ids");
  const bool show_prompt = first && (request.return_token_ids || request.generate.echo);
  show_prompt ? json.Integers(generation.prompt_tokens(delta.choice / request.generate.request.n))
              : json.Null();
  WriteTokenIds(&json, request, delta.tokens);
  WriteGates(&json, request, delta.tokens, delta.prompt.get());
  json.EndObject().EndArray();
  WriteRunningUsage(&json);
  WriteFingerprint(&json, delta);
  return SseEvent(json.EndObject().Take());
}

std::string StreamedAnswer::RoleEvent(int choice, const TextGeneration& generation) const {
  const OpenAiRequest& request = context_->request;
  JsonWriter json;
  WriteHead(&json);
  json.Key("choices").BeginArray().BeginObject();
  json.IntegerField("index", choice);
  json.Key("delta").BeginObject();
  json.StringField("role", request.role).StringField("content", "").EndObject();
  json.NullField("logprobs").NullField("finish_reason").EndObject().EndArray();
  WriteRunningUsage(&json);
  json.Key("prompt_token_ids");
  request.return_token_ids ? json.Integers(generation.prompt_tokens(0)) : json.Null();
  json.Key("prompt_text");
  request.return_prompt_text
      ? json.String(context_->tokenizer->Decode(generation.prompt_tokens(0), false))
      : json.Null();
  return SseEvent(json.EndObject().Take());
}

std::string StreamedAnswer::ChatEvent(const TextDelta& delta) const {
  const OpenAiRequest& request = context_->request;
  JsonWriter json;
  WriteHead(&json);
  json.Key("choices").BeginArray().BeginObject();
  json.IntegerField("index", delta.choice);
  json.Key("delta").BeginObject().StringField("content", delta.text).EndObject();
  json.Key("logprobs");
  if (request.logprobs.has_value() && !delta.tokens.empty()) {
    WriteChatLogprobs(&json, delta.tokens, *request.logprobs,
                      {context_->tokenizer, request.tokens_as_ids});
  } else {
    json.Null();
  }
  json.Key("finish_reason");
  delta.finish.has_value() ? json.String(FinishReasonText(*delta.finish)) : json.Null();
  if (delta.finish.has_value()) WriteStopReason(&json, delta);
  WriteTokenIds(&json, request, delta.tokens);
  WriteGates(&json, request, delta.tokens, delta.prompt.get());
  json.EndObject().EndArray();
  WriteRunningUsage(&json);
  WriteFingerprint(&json, delta);
  return SseEvent(json.EndObject().Take());
}

void StreamedAnswer::WriteRunningUsage(JsonWriter* json) const {
  if (!context_->request.continuous_usage) return;
  json->Key("usage").BeginObject();
  json->IntegerField("prompt_tokens", running_.prompt_tokens);
  json->IntegerField("total_tokens", running_.prompt_tokens + running_.completion_tokens);
  json->IntegerField("completion_tokens", running_.completion_tokens).EndObject();
}

// In a choice's last chunk, unless the usage chunk that follows has it.
void StreamedAnswer::WriteFingerprint(JsonWriter* json, const TextDelta& delta) const {
  if (delta.finish.has_value() && !context_->request.include_usage) {
    json->StringField("system_fingerprint", context_->fingerprint);
  }
}

}  // namespace engram
