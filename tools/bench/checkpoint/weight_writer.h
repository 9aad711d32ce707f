// SPDX-License-Identifier: Apache-2.0
// Writes what is not a table: the shard of the other weights (as Checkpoint::Dummy makes them), the
// index and text files. A tensor at a time, so that a model larger than memory can be made.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tools/bench/checkpoint/shard_header.h"

namespace engram::bench {

// A safetensors file of these tensors, each as Checkpoint::Dummy(seed, its dtype) gives it.
// `stds`: their TensorSpec::dummy_std.
absl::Status WriteDummyShard(const std::string& path, const std::vector<ShardTensor>& tensors,
                             std::span<const float> stds, std::uint64_t seed,
                             const std::function<void(std::int64_t bytes)>& progress);

// Tensor name → file.
using ShardMap = std::vector<std::pair<std::string, std::string>>;

// model.safetensors.index.json.
absl::Status WriteIndex(const std::string& directory, const ShardMap& shards,
                        std::int64_t total_bytes);

absl::Status WriteTextFile(const std::string& path, const std::string& text);

}  // namespace engram::bench
