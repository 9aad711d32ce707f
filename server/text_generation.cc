// SPDX-License-Identifier: Apache-2.0
#include "server/text_generation.h"

#include <utility>

namespace engram {

EngineTextGeneration::EngineTextGeneration(const Tokenizer* tokenizer, TextRules rules,
                                           std::vector<PromptStream> prompts)
    : tokenizer_(tokenizer), rules_(std::move(rules)) {
  for (PromptStream& prompt : prompts) {
    usage_.prompt_tokens += static_cast<int>(prompt.tokens.size());
    prompts_.push_back({std::move(prompt), nullptr, rules_.choices_per_prompt});
    for (int i = 0; i < rules_.choices_per_prompt; ++i) {
      choices_.push_back({Detokenizer(tokenizer_, rules_.skip_special_tokens),
                          StopMatcher(rules_.stop, rules_.include_stop)});
    }
  }
  unfinished_choices_ = static_cast<int>(choices_.size());
}

void EngineTextGeneration::SetOnReady(std::function<void()> on_ready) {
  for (PromptState& prompt : prompts_) {
    if (prompt.stream.generation) prompt.stream.generation->SetOnReady(on_ready);
  }
}

std::vector<TextDelta> EngineTextGeneration::Poll() {
  std::vector<TextDelta> deltas;
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    PromptState& prompt = prompts_[i];
    while (prompt.stream.generation) {
      auto event = prompt.stream.generation->TryNext();
      if (!event.has_value()) break;
      auto delta = OnEvent(i, std::move(*event));
      if (delta.has_value()) deltas.push_back(std::move(*delta));
      // A stop string may have ended what the engine would go on with.
      if (prompt.unfinished == 0) prompt.stream.generation.reset();
    }
  }
  return deltas;
}

std::optional<TextDelta> EngineTextGeneration::OnEvent(std::size_t prompt_index, TokenEvent event) {
  PromptState& prompt = prompts_[prompt_index];
  if (event.prompt) {
    if (!prompt.result) usage_.cached_tokens += event.prompt->cached_tokens;
    prompt.result = event.prompt;
  }
  if (!event.token.has_value() && !event.finish.has_value()) return std::nullopt;
  const int index = static_cast<int>(prompt_index) * rules_.choices_per_prompt + event.choice;
  ChoiceState& choice = choices_[static_cast<std::size_t>(index)];
  if (choice.finished) return std::nullopt;  // the engine did not know yet

  TextDelta delta;
  delta.choice = index;
  if (!choice.begun) {
    choice.begun = true;
    delta.prompt = prompt.result;
    if (rules_.echo) delta.text = prompt.stream.text;
  }
  delta.text += TextOf(event, &choice);
  if (event.token.has_value()) {
    ++usage_.completion_tokens;
    delta.tokens.push_back(*std::move(event.token));
  }
  delta.finish = event.finish;
  delta.stop_token = event.stop_token;
  delta.error = std::move(event.error);
  if (choice.matcher.matched().has_value()) {
    delta.finish = FinishReason::kStop;
    delta.stop_string = choice.matcher.matched();
    delta.stop_token = std::nullopt;
  }
  if (delta.finish.has_value()) Finish(&prompt, &choice);
  return delta;
}

std::string EngineTextGeneration::TextOf(const TokenEvent& event, ChoiceState* choice) const {
  std::string piece;
  if (event.token.has_value()) {
    ++choice->token_count;
    // The token that stopped is part of the answer's tokens but not of its text.
    const bool stopped = event.finish == FinishReason::kStop;
    if (!stopped || rules_.include_stop) piece = choice->detokenizer.Add(event.token->token);
  }
  if (event.finish.has_value()) piece += choice->detokenizer.Flush();
  if (choice->token_count <= rules_.min_tokens) return piece;
  std::string text = choice->matcher.Add(piece);
  if (event.finish.has_value() && !choice->matcher.matched().has_value()) {
    text += choice->matcher.Flush();
  }
  return text;
}

void EngineTextGeneration::Finish(PromptState* prompt, ChoiceState* choice) {
  choice->finished = true;
  --prompt->unfinished;
  --unfinished_choices_;
}

}  // namespace engram
