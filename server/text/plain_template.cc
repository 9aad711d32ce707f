// SPDX-License-Identifier: Apache-2.0
// See plain_template.h. Messages of other roles vanish, as the template has it. A system message
// without content is refused, where Jinja would write "None".
#include "server/text/plain_template.h"

#include <cstddef>

#include "base/status_macros.h"

namespace engram {

absl::StatusOr<std::vector<PromptPiece>> PlainTemplate::Render(
    const std::vector<ChatMessage>& messages, const ChatOptions& options) const {
  RETURN_IF_ERROR(CheckOptions(messages, options, {"system", "user", "assistant"}));
  PromptWriter out;
  out.Template(bos_token_);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& message = messages[i];
    const bool is_assistant = message.role == "assistant";
    if (!is_assistant && message.role != "user" && message.role != "system") continue;
    RETURN_IF_ERROR(CheckHasContent(messages, i));
    if (message.role == "user") out.Template("<｜User｜>");
    if (is_assistant) out.Template("<｜Assistant｜>");
    out.Client(*message.content);
    const bool stays_open = options.continue_final_message && i + 1 == messages.size();
    if (is_assistant && !stays_open) out.Template(end_of_answer_);
  }
  if (options.add_generation_prompt) out.Template("<｜Assistant｜>");
  return out.Take();
}

}  // namespace engram
