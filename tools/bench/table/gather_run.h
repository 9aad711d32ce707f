// SPDX-License-Identifier: Apache-2.0
// Measures a table behind its seam: threads that gather batch after batch, and whether every row
// they got is the right one. In slices: gather into memory of its own, all threads at once, timed;
// then compare, untimed.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/engram/engram_table.h"
#include "tools/bench/checkpoint/row_content.h"
#include "tools/bench/table/row_batches.h"

namespace engram::bench {

// Rows that are gathered before they are compared: so many lie beside each other in memory.
inline constexpr std::int64_t kSliceRows = 1 << 16;

struct GatherRunOptions {
  double seconds = 1;            // of gathering, about
  std::int64_t check_every = 1;  // 1 = every row, N = each N-th, 0 = none
  bool repeat = true;            // begin again when the batches are used up; else end there
};

struct GatherRunResult {
  double rows_per_s = 0;  // all threads together
  double p50_us = 0;      // of one Gather
  double p99_us = 0;
  std::int64_t rows = 0;
  std::int64_t checked = 0;
};

// `batches`: one per thread. DataLoss, naming the row, if a checked row is wrong.
absl::StatusOr<GatherRunResult> RunGather(const EngramTable& table, const RowContent& content,
                                          const std::vector<RowBatches>& batches,
                                          const GatherRunOptions& options);

// Gathers everything once, untimed, so that whatever the storage keeps has been kept.
absl::Status WarmUp(const EngramTable& table, const std::vector<RowBatches>& batches);

}  // namespace engram::bench
