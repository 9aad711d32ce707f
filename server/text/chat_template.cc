// SPDX-License-Identifier: Apache-2.0
// See chat_template.h: which text is whose template.
#include "server/text/chat_template.h"

#include <string>

#include "absl/strings/str_format.h"
#include "server/text/deepseek_v3_template.h"
#include "server/text/known_templates.h"
#include "server/text/plain_template.h"
#include "server/text/utf8.h"

namespace engram {
namespace {

class NoTemplate final : public ChatTemplate {
 public:
  absl::StatusOr<std::vector<PromptPiece>> Render(const std::vector<ChatMessage>&,
                                                  const ChatOptions&) const override {
    return absl::InvalidArgumentError(
        "this model has no chat template (tokenizer_config.json has no chat_template); send a "
        "plain prompt to /v1/completions instead");
  }
};

// Whole characters, about 80 bytes of them.
std::string Beginning(std::string_view source) {
  constexpr std::size_t kShownBytes = 80;
  if (source.size() <= kShownBytes) return std::string(source);
  const std::string_view cut = source.substr(0, kShownBytes);
  return std::string(cut.substr(0, ValidUtf8Prefix(cut))) + "…";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChatTemplate>> ChatTemplate::Recognise(std::string_view source,
                                                                      const Tokenizer& tokenizer) {
  std::unique_ptr<ChatTemplate> known;
  const std::string text = NormaliseTemplateText(source);
  if (source.empty()) {
    known = std::make_unique<NoTemplate>();
  } else if (text == DeepSeekV3TemplateText()) {
    known = std::make_unique<DeepSeekV3Template>(tokenizer.bos_token());
  } else if (text == DemoTemplateText()) {
    known = std::make_unique<PlainTemplate>(tokenizer.bos_token(), tokenizer.eos_token());
  } else if (text == TinyTemplateText()) {
    known = std::make_unique<PlainTemplate>(tokenizer.bos_token(), "<｜end▁of▁sentence｜>");
  } else {
    return absl::UnimplementedError(absl::StrFormat(
        "tokenizer_config.json: chat_template: not one this server knows: %d bytes that begin "
        "\"%s\". Supported are DeepSeek-V3's and the demo model's, to the letter; without a "
        "chat_template the server offers completions only",
        source.size(), Beginning(source)));
  }
  return known;
}

}  // namespace engram
