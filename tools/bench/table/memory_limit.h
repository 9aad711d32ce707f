// SPDX-License-Identifier: Apache-2.0
// The rate at which this machine's memory gives random rows: the measure for tables in RAM. Each
// thread prefetches every cache line of a row long before it copies the row into a buffer that
// stays in its cache; rows lie on 2 MiB pages if the system gives them, and the share that it gave
// is part of the result.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace engram::bench {

struct MemoryLimit {
  std::int64_t bytes = 0;          // of the memory that was read
  double huge_page_share = 0;      // 0 … 1, as the kernel tells
  std::vector<double> rows_per_s;  // for each of `threads`, all of its threads together
};

// ResourceExhausted if there is no memory of `bytes`.
absl::StatusOr<MemoryLimit> MeasureMemoryLimit(std::int64_t bytes, std::size_t row_bytes,
                                               const std::vector<int>& threads);

// Memory that could be taken now, as the kernel estimates; 0 if it does not say.
std::int64_t FreeMemoryBytes();

}  // namespace engram::bench
