// SPDX-License-Identifier: Apache-2.0
// Runs of given token ids through the real scheduler and executor, timed. Prefill and decode apart:
//   prefill: `batch` prompts with one output token each, from the first plan to the last commit;
//   decode:  the steps in which all `batch` sequences have one row each.
// The answers are given and not the model's, so that every run of a number looks up the same rows.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "engine/runtime/model_runtime.h"
#include "engine/scheduler/scheduler.h"
#include "tools/bench/bench_tokens.h"

namespace engram::bench {

// How the rows of Engram layers come.
enum class Lookups {
  kNone,     // the requests' memory is off, the layer computes on zero rows
  kAhead,    // prefetched
  kAtLayer,  // --engram-prefetch off
};
const char* LookupsName(Lookups lookups);

struct EngineRun {
  int batch = 1;
  int prompt_len = 0;
  int output_len = 0;
  int number = 0;  // another one has other ids
  Lookups lookups = Lookups::kAhead;
};

// One thread's.
class EngineRunner {
 public:
  // options: complete; its prefetch is not looked at. `both_ways`: runs may be kAhead and kAtLayer.
  // Else all runs with lookups are of one kind, `lookups`.
  struct Options {
    ModelRuntimeOptions runtime;
    Lookups lookups = Lookups::kAhead;
    bool both_ways = false;
  };
  static absl::StatusOr<EngineRunner> Load(Options options, BenchTokens tokens);

  double PrefillTokensPerSecond(const EngineRun& run);
  double DecodeTokensPerSecond(const EngineRun& run);

  const ModelRuntime& runtime() const { return *runtime_; }
  // Of the runs that were kAhead or kAtLayer.
  EngramPrefetchStats prefetch_stats(Lookups lookups) const;

 private:
  EngineRunner(BenchTokens tokens, std::unique_ptr<ModelRuntime> runtime, Lookups first);

  Executor* ExecutorOf(const EngineRun& run) const;
  void AddRequests(const EngineRun& run, int output_len, Scheduler* scheduler);
  int Step(Scheduler* scheduler, Executor* executor);

  BenchTokens tokens_;
  std::unique_ptr<ModelRuntime> runtime_;
  std::unique_ptr<Executor> executor_;  // of runs without lookups, and of those of kind first_
  Lookups first_;
  ModelRuntime::OtherPrefetch at_layer_;  // empty unless both ways
};

}  // namespace engram::bench
