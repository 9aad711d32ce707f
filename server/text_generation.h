// SPDX-License-Identifier: Apache-2.0
// From token events to text: the frontend's TextGeneration over the engine's Generations. One per
// client request, used by one task at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "server/frontend.h"
#include "server/text/detokenizer.h"
#include "server/text/stop_matcher.h"
#include "server/text/tokenizer.h"

namespace engram {

// What decides how tokens become text.
struct TextRules {
  int choices_per_prompt = 1;
  std::vector<std::string> stop;
  bool include_stop = false;
  bool skip_special_tokens = true;
  int min_tokens = 0;  // stop strings are not looked for in the text of so many tokens
  bool echo = false;   // the prompt's text is the beginning of each choice's
};

// A prompt and what answers it.
struct PromptStream {
  std::vector<std::int32_t> tokens;
  std::string text;  // for echo
  std::unique_ptr<Generation> generation;
};

class EngineTextGeneration final : public TextGeneration {
 public:
  // `tokenizer` must outlive this.
  EngineTextGeneration(const Tokenizer* tokenizer, TextRules rules,
                       std::vector<PromptStream> prompts);

  void SetOnReady(std::function<void()> on_ready) override;
  std::vector<TextDelta> Poll() override;
  bool finished() const override { return unfinished_choices_ == 0; }
  Usage usage() const override { return usage_; }
  int choices() const override { return static_cast<int>(choices_.size()); }
  const std::vector<std::int32_t>& prompt_tokens(int prompt) const override {
    return prompts_[static_cast<std::size_t>(prompt)].stream.tokens;
  }

 private:
  struct PromptState {
    PromptStream stream;
    std::shared_ptr<const PromptResult> result;  // owners: this and the deltas that carry it
    int unfinished = 0;
  };
  struct ChoiceState {
    Detokenizer detokenizer;
    StopMatcher matcher;
    int token_count = 0;
    bool begun = false;
    bool finished = false;
  };

  // Nothing if the event says nothing to the client.
  std::optional<TextDelta> OnEvent(std::size_t prompt, TokenEvent event);
  // The text that becomes final with the event, and whether a stop string ends the choice.
  std::string TextOf(const TokenEvent& event, ChoiceState* choice) const;
  void Finish(PromptState* prompt, ChoiceState* choice);

  const Tokenizer* const tokenizer_;
  const TextRules rules_;
  std::vector<PromptState> prompts_;
  std::vector<ChoiceState> choices_;  // prompt after prompt
  int unfinished_choices_ = 0;
  Usage usage_;
};

}  // namespace engram
