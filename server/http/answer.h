// SPDX-License-Identifier: Apache-2.0
// What is said about one answer in every body and chunk of it, and how its parts are written as
// JSON. Shapes and key order are vLLM's (docs/API.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/frontend.h"
#include "server/http/json_writer.h"
#include "server/http/openai_json.h"
#include "server/text/tokenizer.h"

namespace engram {

struct AnswerContext {
  std::string id;            // "cmpl-…"
  std::int64_t created = 0;  // seconds since 1970
  std::string model;         // the first served name
  std::string fingerprint;   // of server, model and settings
  const Tokenizer* tokenizer = nullptr;
  OpenAiRequest request;  // without its prompts
};

// "stop", "length", "abort", "error".
std::string_view FinishReasonText(FinishReason reason);
// The value of "stop_reason": the string or id that matched, or what else ended the choice early.
void WriteStopReason(JsonWriter* json, const TextDelta& end);

// {"prompt_tokens": …}. `whole`: with the keys of a unary answer, null or not.
void WriteUsage(JsonWriter* json, const Usage& usage, bool whole);

// "token_ids": those of `tokens` if the request wants ids, else null.
void WriteTokenIds(JsonWriter* json, const OpenAiRequest& request,
                   const std::vector<TokenResult>& tokens);

// "engram_gates" and, of a prompt, "prompt_engram_gates": for each token its gates, [memory layers
// × streams]; an empty list for a token that the model has not read. Nothing unless the request
// wants gates. `prompt` may be null.
void WriteGates(JsonWriter* json, const OpenAiRequest& request,
                const std::vector<TokenResult>& tokens, const PromptResult* prompt);

// A unary answer: what a choice's deltas add up to.
class UnaryAnswer {
 public:
  // `context` must outlive this.
  UnaryAnswer(const AnswerContext* context, int choices);

  void Add(TextDelta delta);
  // The whole body, once every choice has finished.
  std::string Body(const TextGeneration& generation) const;
  // The server ended a choice before it was complete.
  bool aborted() const { return aborted_; }
  // Why the server could not compute a choice; empty: it could.
  const std::string& error() const { return error_; }

 private:
  struct Choice {
    std::string text;
    std::vector<TokenResult> tokens;
    std::shared_ptr<const PromptResult> prompt;  // owners: as in TextDelta
    TextDelta end;                               // finish and stop reason
  };

  void WriteCompletionChoice(JsonWriter* json, int index, const TextGeneration& generation) const;
  void WriteChatChoice(JsonWriter* json, int index) const;

  const AnswerContext* const context_;
  std::vector<Choice> choices_;
  bool aborted_ = false;
  std::string error_;
};

// A streamed answer: server-sent events, one for each delta.
class StreamedAnswer {
 public:
  // `context` must outlive this.
  StreamedAnswer(const AnswerContext* context, int choices);

  // The events for a delta, in the order in which they must be sent.
  std::string Events(const TextDelta& delta, const TextGeneration& generation);
  // After the last delta: usage if asked for, and "[DONE]".
  std::string Tail(const Usage& usage) const;

 private:
  void WriteHead(JsonWriter* json) const;
  std::string CompletionEvent(const TextDelta& delta, const TextGeneration& generation, bool first);
  std::string ChatEvent(const TextDelta& delta) const;
  std::string RoleEvent(int choice, const TextGeneration& generation) const;
  void WriteRunningUsage(JsonWriter* json) const;
  void WriteFingerprint(JsonWriter* json, const TextDelta& delta) const;

  const AnswerContext* const context_;
  const int choices_;
  std::vector<bool> begun_;        // per choice
  std::vector<int> text_offsets_;  // per choice, in characters
  Usage running_;                  // up to the delta at hand
};

}  // namespace engram
