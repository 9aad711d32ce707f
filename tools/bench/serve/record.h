// SPDX-License-Identifier: Apache-2.0
// What is sent in one request, and what became of it. All times are seconds after the start of the
// run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace engram::bench {

struct ChatTurn {
  std::string role;
  std::string content;
};

// One request. Exactly one of the three inputs is filled.
struct RequestSpec {
  std::string prompt;
  std::vector<std::int32_t> token_ids;
  std::vector<ChatTurn> messages;
  int output_tokens = 0;  // at most; exactly, with ignore_eos
  std::string request_id;
};

// A message of the stream that had tokens.
struct TokenMessage {
  double at_s = 0;
  int tokens = 0;
};

struct RequestRecord {
  double scheduled_s = 0;  // when it should have left
  double ready_s = 0;      // when only this client's own speed still held it back
  double sent_s = 0;       // when it left, or began to connect
  double end_s = 0;        // when the last byte came, or the error
  std::vector<TokenMessage> messages;
  int prompt_tokens = 0;
  int output_tokens = 0;
  std::string text;
  std::string error_kind;  // "": complete, and all checks held
  std::string error;       // a sentence
  std::optional<double> retry_after_s;  // how long a server that refused wants to be left alone

  bool ok() const { return error_kind.empty(); }
};

}  // namespace engram::bench
