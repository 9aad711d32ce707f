// SPDX-License-Identifier: Apache-2.0
// See deepseek_v3_template.h. Facts of the template that look like mistakes here and are not:
// system messages all move to the front; messages of other roles vanish; a single tool call is
// never closed; only the conversation's first tool call and first tool output get the opening
// marker, since the template's flags are never set back.
#include "server/text/deepseek_v3_template.h"

#include <cstddef>
#include <utility>

#include "base/status_macros.h"

namespace engram {
namespace {

constexpr std::string_view kEndOfSentence = "<｜end▁of▁sentence｜>";

// The template's namespace `ns`, and where its output goes.
class Rendering {
 public:
  void Systems(const std::vector<ChatMessage>& messages) {
    bool is_first = true;
    for (const ChatMessage& message : messages) {
      if (message.role != "system") continue;
      if (!is_first) out_.Template("\n\n");
      out_.Client(*message.content);
      is_first = false;
    }
  }

  // The part of a message up to its content's end, and what closes it.
  void Open(const ChatMessage& message) {
    if (message.role == "user") {
      in_tool_outputs_ = false;
      out_.Template("<｜User｜>");
    } else if (message.role == "assistant") {
      out_.Template(in_tool_outputs_ ? "<｜tool▁outputs▁end｜>" : "<｜Assistant｜>");
      in_tool_outputs_ = false;
    } else {
      in_tool_outputs_ = true;
      out_.Template(any_output_ ? "\n" : "<｜tool▁outputs▁begin｜>");
      out_.Template("<｜tool▁output▁begin｜>");
      any_output_ = true;
    }
    out_.Client(*message.content);
  }

  void Close(const ChatMessage& message) {
    if (message.role == "assistant") out_.Template(kEndOfSentence);
    if (message.role == "tool") out_.Template("<｜tool▁output▁end｜>");
  }

  // An assistant's message without content.
  void ToolCalls(const std::vector<ChatToolCall>& calls) {
    in_tool_outputs_ = false;
    for (const ChatToolCall& call : calls) {
      out_.Template(any_call_ ? "\n" : "<｜Assistant｜><｜tool▁calls▁begin｜>");
      out_.Template("<｜tool▁call▁begin｜>");
      out_.Client(call.type);
      out_.Template("<｜tool▁sep｜>");
      out_.Client(call.name);
      out_.Template("\n```json\n");
      out_.Client(call.arguments);
      out_.Template("\n```<｜tool▁call▁end｜>");
      if (any_call_) {
        out_.Template("<｜tool▁calls▁end｜>");
        out_.Template(kEndOfSentence);
      }
      any_call_ = true;
    }
  }

  void End(bool add_generation_prompt) {
    if (in_tool_outputs_) {
      out_.Template("<｜tool▁outputs▁end｜>");
    } else if (add_generation_prompt) {
      out_.Template("<｜Assistant｜>");
    }
  }

  PromptWriter& out() { return out_; }

 private:
  PromptWriter out_;
  bool in_tool_outputs_ = false;  // ns.is_tool
  bool any_call_ = false;         // ns.is_first
  bool any_output_ = false;       // not ns.is_output_first
};

bool IsWritten(const ChatMessage& message) {
  return message.role == "user" || message.role == "assistant" || message.role == "tool";
}

bool IsToolCalls(const ChatMessage& message) {
  return message.role == "assistant" && !message.content;
}

}  // namespace

absl::StatusOr<std::vector<PromptPiece>> DeepSeekV3Template::Render(
    const std::vector<ChatMessage>& messages, const ChatOptions& options) const {
  RETURN_IF_ERROR(CheckOptions(messages, options, {"user", "assistant", "tool"}));
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool is_text =
        messages[i].role == "system" || (IsWritten(messages[i]) && !IsToolCalls(messages[i]));
    if (is_text) RETURN_IF_ERROR(CheckHasContent(messages, i));
  }
  Rendering rendering;
  rendering.out().Template(bos_token_);
  rendering.Systems(messages);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (IsToolCalls(messages[i])) {
      rendering.ToolCalls(messages[i].tool_calls);
    } else if (IsWritten(messages[i])) {
      rendering.Open(messages[i]);
      const bool stays_open = options.continue_final_message && i + 1 == messages.size();
      if (stays_open) return rendering.out().Take();
      rendering.Close(messages[i]);
    }
  }
  rendering.End(options.add_generation_prompt);
  return rendering.out().Take();
}

}  // namespace engram
