// SPDX-License-Identifier: Apache-2.0
// A scheduler with the fake model and a hand-moved clock, for tests that look at single steps.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/strings.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/scheduler/scheduler.h"
#include "tests/testing/fake_model.h"

namespace engram::testing_support {

inline constexpr std::int32_t kEos = 1;

inline SchedulerOptions SmallOptions() {
  SchedulerOptions options;
  options.max_model_len = 64;
  options.max_num_seqs = 4;
  options.max_num_batched_tokens = 16;
  options.block_size = 4;
  options.block_count = 64;
  options.ngram_order_max = 3;
  return options;
}

// `length` tokens that differ between `flavour`s.
inline std::vector<std::int32_t> Prompt(int length, int flavour = 0) {
  std::vector<std::int32_t> prompt;
  for (int i = 0; i < length; ++i) prompt.push_back((7 * i + 11 * flavour + 3) % kFakeVocabSize);
  return prompt;
}

// Greedy, `max_tokens` tokens long unless a stop id comes.
inline RequestParams Params(std::vector<std::int32_t> prompt, int max_tokens) {
  RequestParams params;
  params.prompt = std::move(prompt);
  params.max_tokens = max_tokens;
  params.ignore_eos = true;
  params.sampling.temperature = 0;
  params.seed = 7;
  return params;
}

// As Params, with n choices, each sampled with its own seed.
inline RequestParams ChoiceParams(std::vector<std::int32_t> prompt, int max_tokens, int n) {
  RequestParams params = Params(std::move(prompt), max_tokens);
  params.n = n;
  params.sampling.temperature = 1;
  return params;
}

class SchedulerHarness {
 public:
  struct Choice {
    std::vector<TokenResult> tokens;
    std::shared_ptr<const PromptResult> prompt;
    std::optional<FinishReason> finish;
    std::optional<std::int32_t> stop_token;
    std::string error;
  };

  explicit SchedulerHarness(const SchedulerOptions& options)
      : options_(options), scheduler_(options), model_(options) {}

  RequestKey Add(RequestParams params) {
    const RequestLimits limits = {
        .max_model_len = options_.max_model_len,
        .vocab_size = kFakeVocabSize,
        .cache_tokens = std::int64_t{options_.block_count} * options_.block_size,
        .eos_token_ids = {kEos},
        .has_engram = true,
    };
    absl::StatusOr<Request> request = Request::Create(std::move(params), limits);
    CHECK_MSG(request.ok(), Message(request.status()));
    const RequestKey key(next_key_++);
    requests_.emplace(key, *request);
    choices_[key].resize(request->n());
    scheduler_.Add(key, *std::move(request), now);
    return key;
  }

  // Plans, executes and commits one step. Returns the plan; its borrowed parts are gone.
  std::optional<StepPlan> Step() {
    std::vector<SchedulerEvent> events;
    std::optional<StepPlan> plan = scheduler_.Plan(now, &events);
    scheduler_.CheckIntegrity();
    if (plan.has_value()) {
      StepOutput output = model_.Execute(*plan);
      output.failures = std::exchange(fail_next, {});
      scheduler_.Commit(*plan, std::move(output), &events);
      scheduler_.CheckIntegrity();
    }
    Take(std::move(events));
    return plan;
  }

  // Returns how many steps it took.
  int RunUntilIdle() {
    int steps = 0;
    while (Step().has_value()) CHECK_LT(++steps, 10'000);
    return steps;
  }

  void Take(std::vector<SchedulerEvent> events) {
    for (auto& [key, event, started] : events) {
      order.emplace_back(key, event.choice);
      Choice& choice = choices_.at(key).at(event.choice);
      if (event.prompt != nullptr) choice.prompt = event.prompt;
      if (event.token.has_value()) choice.tokens.push_back(*std::move(event.token));
      if (event.finish.has_value()) choice.finish = event.finish;
      choice.error += event.error;
      if (event.stop_token.has_value()) choice.stop_token = event.stop_token;
    }
  }

  const Choice& result(RequestKey key, int choice = 0) const { return choices_.at(key).at(choice); }
  FakeAnswer Expected(RequestKey key, int choice = 0) const {
    return ExpectedAnswer(requests_.at(key), choice, options_.ngram_order_max);
  }
  // All choices of the request have ended with just the tokens they must have.
  bool Right(RequestKey key) const {
    for (int i = 0; i < requests_.at(key).n(); ++i) {
      if (TokensOf(result(key, i).tokens) != TokensOf(Expected(key, i).tokens)) return false;
      if (result(key, i).finish != Expected(key, i).finish) return false;
      if (result(key, i).stop_token != Expected(key, i).stop_token) return false;
    }
    return true;
  }

  static std::vector<std::int32_t> TokensOf(const std::vector<TokenResult>& results) {
    std::vector<std::int32_t> tokens;
    for (const TokenResult& result : results) tokens.push_back(result.token);
    return tokens;
  }

  Scheduler& scheduler() { return scheduler_; }

  TimePoint now{};
  std::vector<SliceFailure> fail_next;  // what the next step cannot compute
  std::vector<std::pair<RequestKey, int>> order;  // of events: request, choice

 private:
  const SchedulerOptions options_;
  Scheduler scheduler_;
  FakeModel model_;
  std::uint64_t next_key_ = 0;
  std::map<RequestKey, Request> requests_;
  std::map<RequestKey, std::vector<Choice>> choices_;
};

}  // namespace engram::testing_support
