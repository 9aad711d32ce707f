// SPDX-License-Identifier: Apache-2.0
// What unary and streamed answers share (answer.h).
#include "server/http/answer.h"

namespace engram {

std::string_view FinishReasonText(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
    case FinishReason::kDeadline:
    case FinishReason::kAborted:
      return "abort";
    case FinishReason::kFailed:
      return "error";
  }
  return "abort";
}

void WriteStopReason(JsonWriter* json, const TextDelta& end) {
  json->Key("stop_reason");
  if (end.stop_string.has_value()) {
    json->String(*end.stop_string);
  } else if (end.stop_token.has_value()) {
    json->Integer(*end.stop_token);
  } else if (end.finish == FinishReason::kDeadline) {
    json->String("time_limit");
  } else {
    json->Null();
  }
}

void WriteUsage(JsonWriter* json, const Usage& usage, bool whole) {
  json->BeginObject();
  json->IntegerField("prompt_tokens", usage.prompt_tokens);
  json->IntegerField("total_tokens", usage.prompt_tokens + usage.completion_tokens);
  json->IntegerField("completion_tokens", usage.completion_tokens);
  json->Key("prompt_tokens_details").BeginObject();
  json->IntegerField("cached_tokens", usage.cached_tokens);
  if (whole) json->NullField("created_cache_tokens").NullField("multimodal_tokens");
  json->EndObject();
  if (whole) json->NullField("completion_tokens_details");
  json->EndObject();
}

void WriteTokenIds(JsonWriter* json, const OpenAiRequest& request,
                   const std::vector<TokenResult>& tokens) {
  json->Key("token_ids");
  if (!request.return_token_ids) {
    json->Null();
    return;
  }
  json->BeginArray();
  for (const TokenResult& token : tokens) json->Integer(token.token);
  json->EndArray();
}

void WriteGates(JsonWriter* json, const OpenAiRequest& request,
                const std::vector<TokenResult>& tokens, const PromptResult* prompt) {
  if (!request.generate.request.engram_gates) return;
  const auto write = [json](std::string_view key, const std::vector<TokenResult>& of) {
    json->Key(key).BeginArray();
    for (const TokenResult& token : of) {
      json->BeginArray();
      for (const float gate : token.gates) json->Number(gate);
      json->EndArray();
    }
    json->EndArray();
  };
  write("engram_gates", tokens);
  if (prompt != nullptr) write("prompt_engram_gates", prompt->tokens);
}

}  // namespace engram
