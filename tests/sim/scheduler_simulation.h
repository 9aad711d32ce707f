// SPDX-License-Identifier: Apache-2.0
// The real scheduler under random load, from one seed: options, requests, arrivals, cancels,
// deadlines and time are all drawn from it. After each call every invariant is CHECKed, and each
// event is held against what the fake model must have answered; a failure ends the process.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/scheduler/scheduler.h"
#include "tests/testing/fake_model.h"

namespace engram::testing_support {

// What happened, so that a test can see that the interesting things did.
struct SimulationCounts {
  std::int64_t requests = 0;
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  std::int64_t preemptions = 0;
  std::int64_t hit_tokens = 0;
  std::int64_t cancels = 0;
  std::int64_t deadlines = 0;
  std::int64_t aborts = 0;

  SimulationCounts& operator+=(const SimulationCounts& other);
};

class SchedulerSimulation {
 public:
  explicit SchedulerSimulation(std::uint64_t seed);
  // Adds `request_count` requests over time and runs until all have ended.
  SimulationCounts Run(int request_count);

 private:
  // A request that has not ended, with its answers and how much of them has come.
  struct Choice {
    FakeAnswer answer;
    std::size_t tokens_seen = 0;
    bool prompt_seen = false;
    bool ended = false;
  };
  struct Live {
    Request request;
    std::vector<Choice> choices;
    int ended_count = 0;
  };

  int Draw(int min, int max);  // uniform, both included
  bool Chance(int percent) { return Draw(1, 100) <= percent; }
  SchedulerOptions DrawOptions();
  RequestParams DrawRequest();
  std::vector<std::int32_t> DrawPrompt();

  void AddOne();
  void CancelOne();
  void Step();
  void Take(const std::vector<SchedulerEvent>& events);
  void TakeToken(const Request& request, const TokenEvent& event, Choice* choice);
  void TakeFinish(const Request& request, const TokenEvent& event, Choice* choice);

  std::mt19937_64 random_;
  const SchedulerOptions options_;
  std::vector<std::vector<std::int32_t>> common_prefixes_;
  Scheduler scheduler_;
  FakeModel model_;
  TimePoint now_{};
  std::uint64_t next_key_ = 0;
  std::map<RequestKey, Live> live_;
  bool aborting_ = false;
  // Steps in which all live requests must end if no more are added.
  std::int64_t steps_left_ = 0;
  SimulationCounts counts_;
};

}  // namespace engram::testing_support
