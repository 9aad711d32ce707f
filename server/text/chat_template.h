// SPDX-License-Identifier: Apache-2.0
// Chat messages to a prompt, as the checkpoint's own template says. The templates of DeepSeek-V3
// and of the demo model are recognised and rendered by code; any other is an error at start, never
// a wrong prompt. A rendered prompt keeps apart what the template wrote and what the client wrote,
// so that marker text inside a message ("<｜Assistant｜>") does not become a special token.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/text/chat_messages.h"
#include "server/text/prompt_pieces.h"
#include "server/text/tokenizer.h"

namespace engram {

// Immutable, thread-safe.
class ChatTemplate {
 public:
  virtual ~ChatTemplate() = default;

  // Unimplemented, naming the template's beginning, if `source` is not recognised. An empty
  // `source` is a checkpoint without a chat format: Render always fails then.
  static absl::StatusOr<std::unique_ptr<ChatTemplate>> Recognise(std::string_view source,
                                                                 const Tokenizer& tokenizer);

  // What the template refuses, or would write nonsense for, is InvalidArgument naming the field
  // ("messages[2].content").
  virtual absl::StatusOr<std::vector<PromptPiece>> Render(const std::vector<ChatMessage>& messages,
                                                          const ChatOptions& options) const = 0;
};

}  // namespace engram
