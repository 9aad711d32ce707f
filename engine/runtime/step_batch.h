// SPDX-License-Identifier: Apache-2.0
// Turns a StepPlan into what the model reads: ids, positions, cache slots and block tables on the
// device, and the lists that say where the rolling state of each slice comes from and goes to. All
// buffers are made once, for the largest step.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/kv_cache.h"
#include "engine/model/model.h"
#include "engine/step_plan.h"
#include "kernels/backend.h"

namespace engram {

struct StepBatchLimits {
  int rows_max = 0;                // tokens of one step
  int slices_max = 0;              // sequences of one step
  bool has_rolling_state = false;  // the model has something to store in StateEntries
};

class StepBatch {
 public:
  StepBatch(const StepBatchLimits& limits, const ModelCacheShape& cache, Backend* backend);

  // The plan on the device; valid until the next Build. REQUIRES: the plan is within the limits and
  // the cache, and its slices cover its rows in order; checked.
  const ModelBatch& Build(const StepPlan& plan);

 private:
  void AddSlice(const StepPlan& plan, int slice);
  void AddRollingState(const StepPlan& plan, int slice);
  void Upload(const StepPlan& plan);

  // Constant after construction.
  const StepBatchLimits limits_;
  const ModelCacheShape cache_;
  const StateEntries entries_;
  const int blocks_per_sequence_max_;
  Backend* const backend_;
  Buffer rows_memory_;    // [5, rows_max] i32
  Buffer tables_memory_;  // [slices_max, blocks_per_sequence_max] i32

  // Of the last Build. The host side must live until the device has read it.
  std::vector<std::int32_t> positions_;       // [T]
  std::vector<std::int32_t> cache_slots_;     // [T]
  std::vector<std::int32_t> sequence_;        // [T]
  std::vector<std::int32_t> engram_enabled_;  // [T]
  std::vector<std::int32_t> block_tables_;    // [S, most blocks of a slice]
  ModelBatch batch_;
};

}  // namespace engram
