// SPDX-License-Identifier: Apache-2.0
// Chat messages to a prompt, as the checkpoint's own template says. The templates of DeepSeek-V3
// and of the demo model are recognised and rendered by code; any other is an error at start, never
// a wrong prompt. A rendered prompt keeps apart what the template wrote and what the client wrote,
// so that marker text inside a message ("<｜Assistant｜>") does not become a special token.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/text/tokenizer.h"

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

// Pieces of a prompt, in order.
struct PromptPiece {
  std::string text;
  bool from_client = false;  // message content: encoded with SpecialTokens::kAsText
};

// Immutable, thread-safe.
class ChatTemplate {
 public:
  virtual ~ChatTemplate() = default;

  // Unimplemented, naming the template's beginning, if `source` is not recognised. An empty
  // `source` is a checkpoint without a chat format: Render always fails then.
  static absl::StatusOr<std::unique_ptr<ChatTemplate>> Recognise(std::string_view source,
                                                                 const Tokenizer& tokenizer);

  virtual absl::StatusOr<std::vector<PromptPiece>> Render(const std::vector<ChatMessage>& messages,
                                                          const ChatOptions& options) const = 0;
};

// Text pieces to ids: the template's pieces with special tokens parsed, the client's as text. Where
// two pieces meet, the ids are those of Hugging Face for the joined text whenever the client's text
// contains no marker.
absl::StatusOr<std::vector<std::int32_t>> EncodePieces(const Tokenizer& tokenizer,
                                                       const std::vector<PromptPiece>& pieces);

}  // namespace engram
