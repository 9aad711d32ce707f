// SPDX-License-Identifier: Apache-2.0
// Requests through the real scheduler and the real executor, without threads: what each gets back,
// and what the scheduler did meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/options.h"
#include "engine/request.h"
#include "engine/scheduler/scheduler.h"
#include "engine/step_plan.h"

namespace engram::testing_support {

// One choice of a request.
struct Answer {
  std::vector<TokenResult> prompt;  // empty unless asked for
  std::vector<TokenResult> tokens;
  std::optional<FinishReason> finish;
};

// Everything that a client could see, bit for bit: tokens, log-probabilities, ranks, gates, reason.
std::vector<std::uint32_t> Bits(const Answer& answer);

class RequestRunner {
 public:
  // `executor` outlives this.
  RequestRunner(const SchedulerOptions& options, const RequestLimits& limits,
                StepExecutor* executor);

  // Adds all at once and runs until all have ended. [Σ n], in order of requests, then choices.
  // Ends the test binary if a request is refused.
  std::vector<Answer> Run(const std::vector<RequestParams>& requests);
  // The same, each after the one before has ended.
  std::vector<Answer> RunOneByOne(const std::vector<RequestParams>& requests);

  SchedulerStats stats() const { return scheduler_.stats(); }

 private:
  const RequestLimits limits_;
  StepExecutor* const executor_;
  Scheduler scheduler_;
  std::uint64_t next_key_ = 0;
};

}  // namespace engram::testing_support
