// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/engine_runner.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace engram::bench {
namespace {

using SteadyTime = std::chrono::steady_clock;

double SecondsSince(SteadyTime::time_point begin) {
  return std::chrono::duration<double>(SteadyTime::now() - begin).count();
}

}  // namespace

const char* LookupsName(Lookups lookups) {
  switch (lookups) {
    case Lookups::kNone:
      return "none";
    case Lookups::kAhead:
      return "ahead";
    case Lookups::kAtLayer:
      return "at layer";
  }
  return "";
}

absl::StatusOr<EngineRunner> EngineRunner::Load(Options options, BenchTokens tokens) {
  const bool at_layer = !options.both_ways && options.lookups == Lookups::kAtLayer;
  options.runtime.prefetch = at_layer ? EngramPrefetchMode::kAtLayer : EngramPrefetchMode::kAhead;
  ASSIGN_OR_RETURN(std::unique_ptr<ModelRuntime> runtime,
                   ModelRuntime::Load(options.runtime, tokens.token_map,
                                      [](std::string_view phase) { LOG_INFO("load: {}", phase); }));
  EngineRunner runner(std::move(tokens), std::move(runtime),
                      at_layer ? Lookups::kAtLayer : Lookups::kAhead);
  if (options.both_ways) {
    runner.at_layer_ = runner.runtime_->MakeOtherPrefetchForTest(EngramPrefetchMode::kAtLayer,
                                                                 runner.tokens_.token_map);
  }
  return runner;
}

EngineRunner::EngineRunner(BenchTokens tokens, std::unique_ptr<ModelRuntime> runtime, Lookups first)
    : tokens_(std::move(tokens)),
      runtime_(std::move(runtime)),
      executor_(runtime_->TakeExecutor()),
      first_(first) {}

Executor* EngineRunner::ExecutorOf(const EngineRun& run) const {
  if (run.lookups == Lookups::kNone || run.lookups == first_) return executor_.get();
  CHECK(at_layer_.executor != nullptr);
  return at_layer_.executor.get();
}

EngramPrefetchStats EngineRunner::prefetch_stats(Lookups lookups) const {
  if (lookups == Lookups::kNone) return {};
  if (lookups == first_) return runtime_->prefetch_stats();
  return at_layer_.prefetcher == nullptr ? EngramPrefetchStats{} : at_layer_.prefetcher->stats();
}

double EngineRunner::PrefillTokensPerSecond(const EngineRun& run) {
  Scheduler scheduler(runtime_->scheduler_options());
  AddRequests(run, /*output_len=*/1, &scheduler);
  const auto begin = SteadyTime::now();
  while (scheduler.HasWork()) Step(&scheduler, ExecutorOf(run));
  return run.batch * run.prompt_len / SecondsSince(begin);
}

double EngineRunner::DecodeTokensPerSecond(const EngineRun& run) {
  Scheduler scheduler(runtime_->scheduler_options());
  AddRequests(run, run.output_len, &scheduler);
  double seconds = 0;
  int steps = 0;
  while (scheduler.HasWork()) {
    const auto begin = SteadyTime::now();
    if (Step(&scheduler, ExecutorOf(run)) != run.batch) continue;
    seconds += SecondsSince(begin);
    ++steps;
  }
  CHECK_GT(steps, 0);
  return run.batch * steps / seconds;
}

void EngineRunner::AddRequests(const EngineRun& run, int output_len, Scheduler* scheduler) {
  const ModelConfig& config = runtime_->config();
  const SchedulerOptions& options = runtime_->scheduler_options();
  const RequestLimits limits = {
      .max_model_len = options.max_model_len,
      .vocab_size = config.vocab_size,
      .cache_tokens = std::int64_t{options.block_count} * options.block_size,
      .eos_token_ids = {},
      .has_engram = config.has_engram()};
  ExecutorOf(run)->SetNextTokenForTest([this, number = run.number](const SampleRow& row) {
    return tokens_.At(number, static_cast<int>(row.seed), row.position);
  });
  for (int i = 0; i < run.batch; ++i) {
    RequestParams params;
    for (int t = 0; t < run.prompt_len; ++t) params.prompt.push_back(tokens_.At(run.number, i, t));
    params.max_tokens = output_len;
    params.seed = i;
    params.sampling.temperature = 0;
    params.engram_enabled = run.lookups != Lookups::kNone || !config.has_engram();
    absl::StatusOr<Request> request = Request::Create(std::move(params), limits);
    CHECK_MSG(request.ok(), Message(request.status()));
    scheduler->Add(RequestKey(i), *std::move(request), TimePoint{});
  }
}

// Returns the step's rows if each is a sequence's next token, else 0.
int EngineRunner::Step(Scheduler* scheduler, Executor* executor) {
  std::vector<SchedulerEvent> events;
  const std::optional<StepPlan> plan = scheduler->Plan(TimePoint{}, &events);
  CHECK(plan.has_value());
  const int rows = static_cast<int>(plan->token_ids.size());
  const bool decode = plan->slices.size() == plan->token_ids.size();
  scheduler->Commit(*plan, executor->Execute(*plan), &events);
  return decode ? rows : 0;
}

}  // namespace engram::bench
