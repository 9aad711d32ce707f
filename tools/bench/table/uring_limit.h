// SPDX-License-Identifier: Apache-2.0
// Random reads as cheap as Linux has them: io_uring with file and buffers registered, all by one
// thread. Nothing but reads, so that it is the limit and not another table.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace engram::bench {

// Reads per second of 4 KiB at random places of `path`, `depth` under way, for about `seconds`,
// past the page cache. Unimplemented if the system has no io_uring, or forbids it (containers do),
// or the file system has no O_DIRECT.
absl::StatusOr<double> MeasureUringReads(const std::string& path, int depth, double seconds);

}  // namespace engram::bench
