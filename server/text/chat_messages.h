// SPDX-License-Identifier: Apache-2.0
// A conversation as chat templates take it, and what all templates check alike.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace engram {

struct ChatToolCall {
  std::string type;  // "function"
  std::string name;
  std::string arguments;
};

struct ChatMessage {
  std::string role;
  std::optional<std::string> content;  // absent: null
  std::vector<ChatToolCall> tool_calls;
};

struct ChatOptions {
  bool add_generation_prompt = true;
  bool continue_final_message = false;  // leave the last message open
};

// InvalidArgument if message `index`, which the template writes out as text, has none.
absl::Status CheckHasContent(const std::vector<ChatMessage>& messages, std::size_t index);

// InvalidArgument if the options contradict each other, or if the last message is to be continued
// and is not one that can be: with content, and in a role that the template writes at the prompt's
// end.
absl::Status CheckOptions(const std::vector<ChatMessage>& messages, const ChatOptions& options,
                          const std::vector<std::string>& continuable_roles);

}  // namespace engram
