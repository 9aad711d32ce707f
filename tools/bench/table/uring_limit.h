// SPDX-License-Identifier: Apache-2.0
// Random reads as cheap as Linux has them: io_uring with file and buffers registered. Nothing but
// reads, so that it is the limit and not another table.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace engram::bench {

inline constexpr int kUringDepthMax = 64;

// Reads per second of 4 KiB at random places of `path` for about `seconds`, past the page cache.
// Both are Unimplemented if the system has no io_uring, or forbids it (containers do), or the file
// system has no O_DIRECT.

// One thread, `depth` under way at any time.
absl::StatusOr<double> MeasureUringReads(const std::string& path, int depth, double seconds);

// As a Gather must: each of `threads` begins `batch` reads, at most kUringDepthMax under way, and
// has the last of them before it begins the next batch. The rates of all threads together.
absl::StatusOr<double> MeasureUringBatches(const std::string& path, int threads, int batch,
                                           double seconds);

}  // namespace engram::bench
