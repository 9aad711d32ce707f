// SPDX-License-Identifier: Apache-2.0
// Answers of an OpenAI-compatible server, as bytes for FakeHttpServer.
#pragma once

#include <string>

#include "tests/tools/bench/serve/fake_http_server.h"

namespace engram::bench {

// The head of a chunked event stream, and its last chunk.
extern const char kStreamHead[];
extern const char kStreamEnd[];

// One chunk each. A completion's token `id` has the text "x".
std::string TokenEvent(int id, bool last);
// The same for a chat.
std::string ChatEvent(const std::string& text, int id, bool last);
std::string UsageEvent(int prompt_tokens, int completion_tokens);
std::string DoneEvent();

struct StreamShape {
  int prompt_tokens = 0;  // what usage says
  int tokens = 1;
  int first_ms = 0;
  int gap_ms = 0;
  bool chat = false;
};
// A stream that passes every check. The text of a chat is "t0 t1 t2 …".
Script StreamScript(const StreamShape& shape);

// A whole answer with a JSON body; `headers` are lines that end with \r\n.
std::string JsonAnswer(const std::string& status, const std::string& body,
                       const std::string& headers = "");

}  // namespace engram::bench
