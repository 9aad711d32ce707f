// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/step_windows.h"

#include <algorithm>
#include <cstddef>

#include "base/check.h"

namespace engram {

StepWindows::StepWindows(int rows_max, int lookback) : rows_max_(rows_max) {
  CHECK_GT(rows_max, 0);
  // A step has the most slices when each has one row.
  ids_.resize(static_cast<std::size_t>(rows_max) * (1 + lookback));
  slices_.reserve(static_cast<std::size_t>(rows_max));
}

void StepWindows::Assign(const StepPlan& plan, const NgramHasher& hasher) {
  CHECK_LE(plan.token_ids.size(), static_cast<std::size_t>(rows_max_));
  slices_.clear();
  rows_ = 0;
  std::size_t used = 0;
  for (const SequenceSlice& slice : plan.slices) {
    CHECK_EQ(slice.first_row, rows_);
    CHECK_GE(slice.row_count, 1);
    rows_ += slice.row_count;
    CHECK_LE(static_cast<std::size_t>(rows_), plan.token_ids.size());
    std::span<const std::int32_t> window;
    if (slice.engram_enabled) {
      const int needed = std::min(slice.start_position, hasher.lookback());
      CHECK_GE(slice.lookback_count, needed);
      const std::size_t length = static_cast<std::size_t>(hasher.lookback() + slice.row_count);
      const std::span<std::int32_t> ids = std::span(ids_).subspan(used, length);
      hasher.FillWindow(std::span(slice.lookback).first(slice.lookback_count),
                        std::span(plan.token_ids).subspan(slice.first_row, slice.row_count), ids);
      window = ids;
      used += length;
    }
    slices_.push_back({slice.first_row, slice.row_count, window});
  }
  CHECK_EQ(static_cast<std::size_t>(rows_), plan.token_ids.size());
}

}  // namespace engram
