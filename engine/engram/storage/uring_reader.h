// SPDX-License-Identifier: Apache-2.0
// BlockReader on io_uring, with file and buffers registered: one thread keeps all reads under way,
// and none sleeps and wakes for each of them. The one place that knows liburing.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "engine/engram/storage/block_reader.h"

namespace engram {

// `buffers`: all memory that will be read into; `fd` and it must outlive the reader. An error where
// the system has no io_uring or forbids it (containers do, by seccomp).
absl::StatusOr<std::unique_ptr<BlockReader>> MakeUringReader(int fd, int depth,
                                                             std::span<std::byte> buffers);

}  // namespace engram
