// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V3's chat template in C++: the text it gives for every conversation, its slips in longer
// tool exchanges included, because that is what clients of the model get everywhere else.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/text/chat_template.h"

namespace engram {

class DeepSeekV3Template final : public ChatTemplate {
 public:
  explicit DeepSeekV3Template(std::string bos_token) : bos_token_(std::move(bos_token)) {}

  absl::StatusOr<std::vector<PromptPiece>> Render(const std::vector<ChatMessage>& messages,
                                                  const ChatOptions& options) const override;

 private:
  const std::string bos_token_;
};

}  // namespace engram
