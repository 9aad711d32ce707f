// SPDX-License-Identifier: Apache-2.0
// The chat template of models/engram-demo and of the tiny test checkpoints: each message in its
// place, users and assistants behind their markers, system text bare.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/text/chat_template.h"

namespace engram {

class PlainTemplate final : public ChatTemplate {
 public:
  // `end_of_answer` is written after each of the assistant's messages.
  PlainTemplate(std::string bos_token, std::string end_of_answer)
      : bos_token_(std::move(bos_token)), end_of_answer_(std::move(end_of_answer)) {}

  absl::StatusOr<std::vector<PromptPiece>> Render(const std::vector<ChatMessage>& messages,
                                                  const ChatOptions& options) const override;

 private:
  const std::string bos_token_;
  const std::string end_of_answer_;
};

}  // namespace engram
