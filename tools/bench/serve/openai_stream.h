// SPDX-License-Identifier: Apache-2.0
// OpenAI's streamed answers: server-sent events cut anywhere by the network, each with a JSON chunk
// of a completion or chat completion.
#pragma once

#include <string>
#include <string_view>

#include "tools/bench/serve/answer_checker.h"

namespace engram::bench {

class OpenAiStream {
 public:
  explicit OpenAiStream(AnswerChecker* checker) : checker_(checker) {}

  // Bytes of the body that came at `at_s`.
  void Feed(double at_s, std::string_view bytes);

 private:
  void OnLine(double at_s, std::string_view line);
  void OnData(double at_s, std::string_view data);

  AnswerChecker* const checker_;
  std::string rest_;  // the begun line
};

// The sentence in an error body: OpenAI's {"error": {"message"}}, or the body's beginning.
std::string ErrorMessage(std::string_view body);

}  // namespace engram::bench
