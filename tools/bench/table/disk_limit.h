// SPDX-License-Identifier: Apache-2.0
// What the drive under a file gives, past the page cache: the measures for tables on disk and for
// loading. And how to have a file in the page cache, or out of it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::bench {

struct DiskRate {
  double reads_per_s = 0;
  double bytes_per_s = 0;
  std::string way;  // "io_uring" or "pread"
};

// Blocks of 4 KiB at random places of `path`, `depth` reads under way at any time, for about
// `seconds`: with io_uring (uring_limit.h) or, where there is none, that many threads with one
// O_DIRECT read each. Unimplemented, if the file system takes no O_DIRECT.
absl::StatusOr<DiskRate> MeasureRandomReads(const std::string& path, int depth, double seconds);

// Blocks of 4 MiB front to back, `threads` reads under way, for about `seconds` or to the end.
absl::StatusOr<DiskRate> MeasureSequentialReads(const std::string& path, int threads,
                                                double seconds);

// Takes the file out of the page cache. Pages that somebody has mapped stay.
absl::Status DropFromCache(const std::string& path);
// Reads it once, front to back.
absl::Status BringIntoCache(const std::string& path);
// The share of the file's pages that are in the page cache, 0 … 1.
absl::StatusOr<double> CachedShare(const std::string& path);

}  // namespace engram::bench
