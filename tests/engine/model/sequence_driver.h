// SPDX-License-Identifier: Apache-2.0
// Runs one sequence through an Executor, chunk by chunk, without a scheduler: what the model
// computes, apart from who decides when. Records what the executor traces.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/options.h"
#include "engine/runtime/executor.h"
#include "engine/step_plan.h"

namespace engram::testing_support {

// Rows one after the other, by tensor: "hidden.2", "after_engram.1", "final_norm.0", "logits.0".
using Recording = std::map<std::string, std::vector<float>>;

class SequenceDriver {
 public:
  // `executor` runs with `options`; nobody else uses it meanwhile.
  SequenceDriver(const SchedulerOptions& options, Executor* executor, bool engram_enabled);
  ~SequenceDriver();

  // One step over `tokens`, which follow those of the steps before. Every row gets logits: its
  // results are the log-probabilities of the next token and of the 5 best ones, and at the last row
  // the greedy token. Gates of all rows.
  StepOutput Run(const std::vector<std::int32_t>& tokens);
  // Run in chunks of `chunk` tokens, the last one shorter; the results one after the other.
  StepOutput RunInChunks(const std::vector<std::int32_t>& tokens, int chunk);

  // What the steps so far have traced.
  const Recording& recording() const { return recording_; }

 private:
  StepPlan MakePlan(const std::vector<std::int32_t>& tokens) const;

  const SchedulerOptions options_;
  Executor* const executor_;
  const bool engram_enabled_;
  SamplingParams greedy_;
  std::vector<std::int32_t> history_;  // tokens of all steps
  Recording recording_;
};

}  // namespace engram::testing_support
