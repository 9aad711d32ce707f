// SPDX-License-Identifier: Apache-2.0
// How the process' memory will be used, worked out before any of it is taken: how many cache blocks
// fit, and what the log says about it at start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/model/model.h"
#include "engine/options.h"

namespace engram {

// Memory that the process could take now, in bytes: what the system has available, within the
// limit of its control group (cgroup v2). 0 if the system does not say.
std::int64_t AvailableMemoryBytes();

// The `block_count` for scheduler options that are complete but for it. With `cache_bytes`: what
// fits into them. Without: as much as max_num_seqs sequences of max_model_len need, but no more
// than half of `available_bytes` (0 = unknown). ResourceExhausted if not even one sequence of
// max_model_len fits; the message says what would.
absl::StatusOr<int> CountBlocks(const SchedulerOptions& options, const ModelMemory& memory,
                                std::optional<std::int64_t> cache_bytes,
                                std::int64_t available_bytes);

// Bytes of a cache of options.block_count blocks and options.max_num_seqs slots.
std::int64_t CacheBytes(const SchedulerOptions& options, const ModelMemory& memory);

struct MemoryPlan {
  std::int64_t weights_bytes = 0;  // mapped from the checkpoint, without the Engram tables
  std::int64_t tables_bytes = 0;   // Engram tables, wherever they lie
  std::string tables_storage;      // "ram", "mmap", "nvme"; empty without Engram
  // Of the available memory: tables in RAM that no keeper and no reserved huge pages hold, or row
  // caches.
  std::int64_t tables_memory_bytes = 0;
  std::int64_t cache_bytes = 0;
  std::int64_t activation_bytes = 0;  // workspace of the largest step, logits included
  int block_count = 0;
  int block_size = 0;
  int max_model_len = 0;

  std::int64_t cache_tokens() const { return std::int64_t{block_count} * block_size; }
};

// "1.50 GiB"
std::string FormatBytes(std::int64_t bytes);

// Writes the plan to the log, a line per part.
void LogMemoryPlan(const MemoryPlan& plan);

}  // namespace engram
