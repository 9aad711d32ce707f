// SPDX-License-Identifier: Apache-2.0
// Server-sent events, as OpenAI's clients read them: one line of JSON each, "[DONE]" at the end.
#pragma once

#include <string>
#include <string_view>

namespace engram {

inline constexpr std::string_view kSseContentType = "text/event-stream; charset=utf-8";
inline constexpr std::string_view kSseDone = "data: [DONE]\n\n";

// REQUIRES: `json` has no line break (JsonWriter writes none).
inline std::string SseEvent(std::string_view json) {
  std::string event = "data: ";
  event.append(json).append("\n\n");
  return event;
}

}  // namespace engram
