// SPDX-License-Identifier: Apache-2.0
// Writes down what has been decided: the sequences of a step and their rows become a StepPlan.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/options.h"
#include "engine/scheduler/sequence.h"
#include "engine/step_plan.h"

namespace engram {

// `planned` have blocks for their next step_rows ≥ 1 tokens; the plan's slices are in their order.
// The plan borrows from the sequences and their requests.
StepPlan BuildPlan(const SchedulerOptions& options, std::uint64_t step,
                   const std::vector<Sequence*>& planned);

}  // namespace engram
