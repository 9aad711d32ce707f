// SPDX-License-Identifier: Apache-2.0
// What hashing needs of a StepPlan: for each slice its compressed ids, led by the N − 1 before it.
// Copied at Start, so that no worker reads a plan that the engine thread may already have dropped.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/engram/ngram_hasher.h"
#include "engine/step_plan.h"

namespace engram {

class StepWindows {
 public:
  struct Slice {
    int first_row = 0;  // in the step
    int row_count = 0;
    std::span<const std::int32_t> window;  // [N − 1 + row_count]; empty if the memory is off
    bool engram_enabled() const { return !window.empty(); }
  };

  // Room for steps of up to `rows_max` rows, so that Assign allocates nothing.
  StepWindows(int rows_max, int lookback);

  // REQUIRES: the slices cover the plan's rows in order, at most rows_max of them, and carry the
  // lookback that their start position asks for.
  void Assign(const StepPlan& plan, const NgramHasher& hasher);

  int rows() const { return rows_; }
  std::span<const Slice> slices() const { return slices_; }

 private:
  const int rows_max_;
  int rows_ = 0;
  std::vector<std::int32_t> ids_;  // the slices' windows, one after the other
  std::vector<Slice> slices_;
};

}  // namespace engram
