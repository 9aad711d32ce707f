// SPDX-License-Identifier: Apache-2.0
#include "tests/tools/bench/serve/openai_script.h"

#include <cstdio>

namespace engram::bench {
namespace {

std::string Chunked(const std::string& bytes) {
  char size[16];
  std::snprintf(size, sizeof(size), "%zx\r\n", bytes.size());
  return size + bytes + "\r\n";
}

std::string Event(const std::string& json) { return Chunked("data: " + json + "\n\n"); }

std::string Choice(const std::string& content, int id, bool last) {
  return Event("{\"id\":\"a\",\"choices\":[{" + content + ",\"token_ids\":[" + std::to_string(id) +
               "],\"finish_reason\":" + (last ? "\"length\"" : "null") + "}]}");
}

}  // namespace

const char kStreamHead[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const char kStreamEnd[] = "0\r\n\r\n";

std::string TokenEvent(int id, bool last) { return Choice("\"text\":\"x\"", id, last); }

std::string ChatEvent(const std::string& text, int id, bool last) {
  return Choice("\"delta\":{\"content\":\"" + text + "\"}", id, last);
}

std::string UsageEvent(int prompt_tokens, int completion_tokens) {
  return Event("{\"id\":\"a\",\"choices\":[],\"usage\":{\"prompt_tokens\":" +
               std::to_string(prompt_tokens) +
               ",\"completion_tokens\":" + std::to_string(completion_tokens) + "}}");
}

std::string DoneEvent() { return Chunked("data: [DONE]\n\n"); }

Script StreamScript(const StreamShape& shape) {
  Script script;
  for (int i = 0; i < shape.tokens; ++i) {
    const bool last = i + 1 == shape.tokens;
    const std::string text = (i == 0 ? "t" : " t") + std::to_string(i);
    script.parts.push_back({i == 0 ? shape.first_ms : shape.gap_ms,
                            shape.chat ? ChatEvent(text, i, last) : TokenEvent(i, last)});
  }
  script.parts.front().bytes.insert(0, kStreamHead);
  script.parts.back().bytes +=
      UsageEvent(shape.prompt_tokens, shape.tokens) + DoneEvent() + kStreamEnd;
  return script;
}

std::string JsonAnswer(const std::string& status, const std::string& body,
                       const std::string& headers) {
  return "HTTP/1.1 " + status + "\r\n" + headers +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace engram::bench
