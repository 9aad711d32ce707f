// SPDX-License-Identifier: Apache-2.0
// Follows one streamed answer and decides whether it was complete and true to itself. A measurement
// counts only what passed: a stream that is cut off is an error, never a fast request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tools/bench/serve/record.h"

namespace engram::bench {

class AnswerChecker {
 public:
  struct Expectation {
    int prompt_tokens = 0;      // 0: not known
    int output_tokens = 0;      // what was asked for
    bool exact_length = false;  // the answer must have them all (ignore_eos)
    bool done_marker = false;   // the stream ends with [DONE]
  };

  AnswerChecker(const Expectation& expected, RequestRecord* record)
      : expected_(expected), record_(record) {}

  // A message of the stream. `token_count`: absent if the server did not say; a message with text
  // is then taken for one token.
  void OnMessage(double at_s, std::string_view text, std::optional<int> token_count);
  void OnId(std::string_view id);
  void OnUsage(int prompt_tokens, int completion_tokens);
  void OnFinishReason(std::string_view reason);
  void OnDone() { done_ = true; }

  // The first failure stays.
  void Fail(const std::string& kind, const std::string& message);

  // The stream is over: fills in the rest of the record and checks what can be checked now.
  void Close(double at_s);

  bool failed() const { return !record_->ok(); }
  bool done() const { return done_; }

 private:
  void CheckUsage();

  const Expectation expected_;
  RequestRecord* const record_;
  std::string id_;
  std::string finish_reason_;
  bool counted_exactly_ = true;  // every message said how many tokens it has
  bool done_ = false;
  int counted_tokens_ = 0;
  std::optional<int> usage_prompt_;
  std::optional<int> usage_completion_;
};

}  // namespace engram::bench
