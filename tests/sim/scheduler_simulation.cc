// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scheduler_simulation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/strings.h"

namespace engram::testing_support {
namespace {

using std::chrono::milliseconds;

constexpr int kCommonPrefixes = 4;
constexpr int kLiveMax = 24;
constexpr std::int32_t kEos = 1;

bool Same(const TokenLogprob& a, const TokenLogprob& b) {
  return a.token == b.token && a.logprob == b.logprob && a.rank == b.rank;
}

// Gates apart: the last token of a choice has none, whenever it turns out to be the last.
bool SameButGates(const TokenResult& a, const TokenResult& b) {
  return a.token == b.token && a.logprob.has_value() == b.logprob.has_value() &&
         (!a.logprob.has_value() || Same(*a.logprob, *b.logprob)) &&
         std::ranges::equal(a.top_logprobs, b.top_logprobs, Same);
}

bool Same(const TokenResult& a, const TokenResult& b) {
  return SameButGates(a, b) && a.gates == b.gates;
}

}  // namespace

SimulationCounts& SimulationCounts::operator+=(const SimulationCounts& other) {
  requests += other.requests;
  steps += other.steps;
  tokens += other.tokens;
  preemptions += other.preemptions;
  hit_tokens += other.hit_tokens;
  cancels += other.cancels;
  deadlines += other.deadlines;
  aborts += other.aborts;
  return *this;
}

SchedulerSimulation::SchedulerSimulation(std::uint64_t seed)
    : random_(seed), options_(DrawOptions()), scheduler_(options_), model_(options_) {
  for (int i = 0; i < kCommonPrefixes; ++i) {
    std::vector<std::int32_t>& prefix = common_prefixes_.emplace_back();
    for (int j = 0; j < options_.max_model_len; ++j) {
      prefix.push_back(Draw(0, kFakeVocabSize - 1));
    }
  }
}

int SchedulerSimulation::Draw(int min, int max) {
  return min + static_cast<int>(random_() % static_cast<std::uint64_t>(max - min + 1));
}

SchedulerOptions SchedulerSimulation::DrawOptions() {
  static constexpr int kBlockSizes[] = {1, 2, 3, 4, 8, 16};
  static constexpr milliseconds kAging[] = {milliseconds(10), milliseconds(1000),
                                            milliseconds(3'600'000)};
  SchedulerOptions options;
  options.max_model_len = Draw(4, 64);
  options.max_num_seqs = Draw(1, 8);
  options.block_size = kBlockSizes[Draw(0, 5)];
  const int longest = (options.max_model_len + options.block_size - 1) / options.block_size;
  // From room for one sequence to room for all.
  options.block_count = longest + (Chance(30) ? 0 : Draw(0, longest * options.max_num_seqs));
  options.ngram_order_max = Draw(1, 4);
  options.enable_prefix_caching = Chance(75);
  options.enable_chunked_prefill = Chance(75);
  const int rows_min = options.enable_chunked_prefill
                           ? options.max_num_seqs
                           : std::max(options.max_num_seqs, options.max_model_len);
  options.max_num_batched_tokens = rows_min + (Chance(30) ? 0 : Draw(0, 64));
  options.priority_aging = kAging[Draw(0, 2)];
  options.prefix_hash_key[0] = random_();
  options.prefix_hash_key[1] = random_();
  options.upcoming_tokens_max = Chance(50) ? 0 : Draw(1, 64);
  return options;
}

std::vector<std::int32_t> SchedulerSimulation::DrawPrompt() {
  const int length = Draw(1, options_.max_model_len);
  std::vector<std::int32_t> prompt = common_prefixes_[Draw(0, kCommonPrefixes - 1)];
  prompt.resize(length);
  for (int own = Draw(0, 4); own > 0; --own) {
    if (own <= length) prompt[length - own] = Draw(0, kFakeVocabSize - 1);
  }
  return prompt;
}

RequestParams SchedulerSimulation::DrawRequest() {
  RequestParams params;
  params.id = "r" + std::to_string(next_key_);
  params.prompt = DrawPrompt();
  params.n = Chance(70) ? 1 : Draw(2, 5);
  params.max_tokens = Chance(5) ? 0 : Draw(1, std::min(24, options_.max_model_len));
  params.min_tokens = Chance(80) ? 0 : Draw(0, *params.max_tokens);
  params.ignore_eos = Chance(30);
  if (Chance(30)) params.stop_token_ids = {Draw(0, 31), Draw(32, 63)};
  params.sampling.temperature = params.n == 1 && Chance(50) ? 0.0f : 1.0f;
  if (Chance(15)) params.sampling.logprobs = Draw(0, 3);
  params.seed = random_();
  if (Chance(10)) params.prompt_logprobs = Draw(0, 3);
  params.priority = Chance(60) ? 0 : Draw(-3, 3);
  if (Chance(10)) params.deadline = now_ + milliseconds(Draw(1, 2000));
  if (Chance(15)) params.cache_salt = "salt";
  params.engram_enabled = !Chance(15);
  params.engram_gates = Chance(10);
  return params;
}

void SchedulerSimulation::AddOne() {
  const RequestLimits limits = {
      .max_model_len = options_.max_model_len,
      .vocab_size = kFakeVocabSize,
      .cache_tokens = std::int64_t{options_.block_count} * options_.block_size,
      .eos_token_ids = {kEos},
      .has_engram = true,
  };
  absl::StatusOr<Request> request = Request::Create(DrawRequest(), limits);
  if (!request.ok()) return;  // the prompt leaves no room for an answer
  const RequestKey key(next_key_++);
  Live live{.request = *request, .choices = {}};
  for (int choice = 0; choice < request->n(); ++choice) {
    live.choices.push_back({.answer = ExpectedAnswer(*request, choice, options_.ngram_order_max)});
  }
  steps_left_ += 10 + request->n() * (static_cast<std::int64_t>(request->prompt().size()) +
                                      request->max_tokens());
  live_.emplace(key, std::move(live));
  scheduler_.Add(key, *std::move(request), now_);
  ++counts_.requests;
}

void SchedulerSimulation::CancelOne() {
  if (live_.empty()) return;
  const auto it = std::next(live_.begin(), Draw(0, static_cast<int>(live_.size()) - 1));
  scheduler_.Cancel(it->first);
  scheduler_.CheckIntegrity();
  live_.erase(it);
  ++counts_.cancels;
}

void SchedulerSimulation::TakeToken(const Request& request, const TokenEvent& event,
                                    Choice* choice) {
  CHECK(choice->prompt_seen);
  CHECK_LT(choice->tokens_seen, choice->answer.tokens.size());
  const TokenResult& expected = choice->answer.tokens[choice->tokens_seen++];
  CHECK_MSG(event.finish.has_value() ? SameButGates(*event.token, expected)
                                     : Same(*event.token, expected),
            request.id());
  if (event.finish.has_value()) CHECK(event.token->gates.empty());
  ++counts_.tokens;
}

void SchedulerSimulation::TakeFinish(const Request& request, const TokenEvent& event,
                                     Choice* choice) {
  choice->ended = true;
  switch (*event.finish) {
    case FinishReason::kDeadline:
      CHECK(request.deadline().has_value() && *request.deadline() <= now_);
      ++counts_.deadlines;
      break;
    case FinishReason::kAborted:
      CHECK(aborting_);
      ++counts_.aborts;
      break;
    default:
      CHECK(*event.finish == choice->answer.finish);
      CHECK(event.stop_token == choice->answer.stop_token);
      CHECK_EQ(choice->tokens_seen, choice->answer.tokens.size());
  }
}

void SchedulerSimulation::Take(const std::vector<SchedulerEvent>& events) {
  for (const auto& [key, event, started] : events) {
    const auto it = live_.find(key);
    CHECK(it != live_.end());
    Live& live = it->second;
    Choice& choice = live.choices.at(event.choice);
    CHECK(!choice.ended);
    CHECK(event.token.has_value() || event.finish.has_value());
    if (event.prompt != nullptr) {
      CHECK(!choice.prompt_seen);
      choice.prompt_seen = true;
      CHECK(started.has_value());
      CHECK_LT(event.prompt->cached_tokens, static_cast<int>(live.request.prompt().size()));
      const auto same = [](const TokenResult& a, const TokenResult& b) { return Same(a, b); };
      CHECK(std::ranges::equal(event.prompt->tokens, live.choices[0].answer.prompt, same));
    }
    if (event.token.has_value()) TakeToken(live.request, event, &choice);
    if (event.finish.has_value()) {
      TakeFinish(live.request, event, &choice);
      if (++live.ended_count == live.request.n()) live_.erase(it);
    }
  }
}

void SchedulerSimulation::Step() {
  std::vector<SchedulerEvent> events;
  const std::optional<StepPlan> plan = scheduler_.Plan(now_, &events);
  scheduler_.CheckIntegrity();
  Take(events);
  CHECK_EQ(plan.has_value(), scheduler_.HasWork());
  if (!plan.has_value()) return;
  StepOutput output = model_.Execute(*plan);
  events.clear();
  scheduler_.Commit(*plan, std::move(output), &events);
  scheduler_.CheckIntegrity();
  Take(events);
  CHECK_EQ(live_.empty(), !scheduler_.HasWork());
  ++counts_.steps;
  // A preempted sequence's work is done again, but each step brings the best one a token further.
  CHECK_GT(--steps_left_, 0);
}

SimulationCounts SchedulerSimulation::Run(int request_count) {
  const int cancel_percent = Draw(0, 10);
  const int arrival_percent = Draw(5, 60);
  for (int added = 0; added < request_count || !live_.empty();) {
    while (added < request_count && static_cast<int>(live_.size()) < kLiveMax &&
           (live_.empty() || Chance(arrival_percent))) {
      AddOne();
      ++added;
      if (Chance(60)) break;
    }
    if (Chance(cancel_percent)) CancelOne();
    now_ += milliseconds(Chance(2) ? Draw(0, 5000) : Draw(0, 20));
    Step();
    if (added == request_count && Chance(1)) {
      aborting_ = true;
      std::vector<SchedulerEvent> events;
      scheduler_.AbortAll(&events);
      scheduler_.CheckIntegrity();
      Take(events);
    }
  }
  const SchedulerStats stats = scheduler_.stats();
  CHECK_EQ(stats.live_requests, 0);
  CHECK_EQ(stats.running_sequences, 0);
  CHECK_EQ(stats.waiting_sequences, 0);
  CHECK_EQ(stats.waiting_requests, 0);
  CHECK_EQ(stats.waiting_tokens, 0);
  CHECK_EQ(stats.blocks_used, 0);
  counts_.preemptions = static_cast<std::int64_t>(stats.preemptions);
  counts_.hit_tokens = static_cast<std::int64_t>(stats.prefix_hit_tokens);
  return counts_;
}

}  // namespace engram::testing_support
