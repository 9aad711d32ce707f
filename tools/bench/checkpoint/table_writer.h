// SPDX-License-Identifier: Apache-2.0
// Writes a shard that holds one tensor of a generated table, front to back, as fast as the drive
// takes it: threads take the next few MiB, compute them and write them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "tools/bench/checkpoint/shard_header.h"

namespace engram::bench {

// Told after each chunk how many bytes have been written; by several threads, one at a time.
using WriteProgress = std::function<void(std::int64_t bytes)>;

// Computes bytes [offset, offset + bytes) of the tensor, whole elements; called by several threads.
using FillTensor = std::function<void(std::int64_t offset, std::size_t bytes, std::byte* out)>;

// Makes `path`: a safetensors file of `tensor` alone, whose data begins at a multiple of the
// drive's block. Errors name the path. REQUIRES: threads > 0.
absl::Status WriteTableShard(const std::string& path, const ShardTensor& tensor,
                             const FillTensor& fill, int threads, const WriteProgress& progress);

}  // namespace engram::bench
