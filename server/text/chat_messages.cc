// SPDX-License-Identifier: Apache-2.0
// See chat_messages.h.
#include "server/text/chat_messages.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/field_error.h"

namespace engram {

absl::Status CheckHasContent(const std::vector<ChatMessage>& messages, std::size_t index) {
  if (messages[index].content) return absl::OkStatus();
  return InvalidField(
      absl::StrFormat("messages[%d].content", index),
      absl::StrFormat("a message of role '%s' needs text, found null", messages[index].role));
}

absl::Status CheckOptions(const std::vector<ChatMessage>& messages, const ChatOptions& options,
                          const std::vector<std::string>& continuable_roles) {
  if (!options.continue_final_message) return absl::OkStatus();
  if (options.add_generation_prompt) {
    return InvalidField("continue_final_message",
                        "cannot be true together with add_generation_prompt: one continues the "
                        "last message, the other begins a new one");
  }
  if (messages.empty()) {
    return InvalidField("continue_final_message", "there is no message to continue");
  }
  const ChatMessage& last = messages.back();
  if (!last.content) {
    return InvalidField("continue_final_message", "the last message has no content to continue");
  }
  if (std::find(continuable_roles.begin(), continuable_roles.end(), last.role) ==
      continuable_roles.end()) {
    return InvalidField(
        "continue_final_message",
        absl::StrFormat("this model's chat template cannot continue a last message of role '%s'",
                        last.role));
  }
  return absl::OkStatus();
}

}  // namespace engram
