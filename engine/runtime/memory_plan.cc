// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/memory_plan.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string_view>

#include "absl/status/status.h"
#include "base/log.h"
#include "config/limits.h"

namespace engram {
namespace {

// Slots (block · block_size + offset) are int32.
constexpr std::int64_t kBlocksMax =
    std::numeric_limits<std::int32_t>::max() / limits::kBlockSizeMax;

std::int64_t BlocksPerSequence(const SchedulerOptions& options) {
  return (std::int64_t{options.max_model_len} + options.block_size - 1) / options.block_size;
}

std::int64_t BytesPerBlock(const SchedulerOptions& options, const ModelMemory& memory) {
  return options.block_size * memory.bytes_per_token + memory.bytes_per_state;
}

// What a cache without blocks takes: the zero state and one per slot.
std::int64_t FixedBytes(const SchedulerOptions& options, const ModelMemory& memory) {
  return (std::int64_t{1} + options.max_num_seqs) * memory.bytes_per_state;
}

absl::Status TooSmall(const SchedulerOptions& options, const ModelMemory& memory,
                      std::int64_t budget, std::int64_t blocks, bool given) {
  const std::int64_t needed =
      FixedBytes(options, memory) + BlocksPerSequence(options) * BytesPerBlock(options, memory);
  const std::string where = given ? "kv-cache-memory is " + FormatBytes(budget)
                                  : "half of the memory available is " + FormatBytes(budget);
  const std::string room =
      blocks > 0 ? "; " + std::to_string(blocks * options.block_size) + " tokens fit" : "";
  return absl::ResourceExhaustedError(
      where + ", but one sequence of max-model-len " + std::to_string(options.max_model_len) +
      " needs " + FormatBytes(needed) + " of cache" + room +
      ": raise kv-cache-memory, or lower max-model-len or max-num-seqs");
}

}  // namespace

std::int64_t AvailableMemoryBytes() {
  std::int64_t available = 0;
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);) {
    long long kibibytes = 0;
    if (std::sscanf(line.c_str(), "MemAvailable: %lld kB", &kibibytes) == 1) {
      available = kibibytes << 10;
    }
  }
  // "max" where there is no limit: the read fails, and that is that.
  std::int64_t limit = 0;
  std::int64_t used = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit &&
      std::ifstream("/sys/fs/cgroup/memory.current") >> used) {
    available = std::min(available, std::max<std::int64_t>(0, limit - used));
  }
  return available;
}

absl::StatusOr<int> CountBlocks(const SchedulerOptions& options, const ModelMemory& memory,
                                std::optional<std::int64_t> cache_bytes,
                                std::int64_t available_bytes) {
  const std::int64_t per_block = BytesPerBlock(options, memory);
  const std::int64_t fixed = FixedBytes(options, memory);
  const std::int64_t enough =
      std::min(kBlocksMax, options.max_num_seqs * BlocksPerSequence(options));
  std::int64_t budget = fixed + enough * per_block;
  if (cache_bytes) {
    budget = *cache_bytes;
  } else if (available_bytes > 0) {
    budget = std::min(budget, available_bytes / 2);
  }
  const std::int64_t blocks = std::clamp<std::int64_t>((budget - fixed) / per_block, 0, kBlocksMax);
  if (blocks < BlocksPerSequence(options)) {
    return TooSmall(options, memory, budget, blocks, cache_bytes.has_value());
  }
  return static_cast<int>(blocks);
}

std::int64_t CacheBytes(const SchedulerOptions& options, const ModelMemory& memory) {
  return FixedBytes(options, memory) + options.block_count * BytesPerBlock(options, memory);
}

std::string FormatBytes(std::int64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f " : "%.2f ", value);
  return text.data() + std::string(kUnits[unit]);
}

void LogMemoryPlan(const MemoryPlan& plan) {
  LOG_INFO("memory: weights {} (mapped)", FormatBytes(plan.weights_bytes));
  if (!plan.tables_storage.empty()) {
    LOG_INFO("memory: engram tables {} ({}), taking {} of the available memory",
             FormatBytes(plan.tables_bytes), plan.tables_storage,
             FormatBytes(plan.tables_memory_bytes));
  }
  LOG_INFO("memory: kv cache {}: {} blocks of {} tokens = {} tokens, {:.1f} sequences of {} tokens",
           FormatBytes(plan.cache_bytes), plan.block_count, plan.block_size, plan.cache_tokens(),
           static_cast<double>(plan.cache_tokens()) / plan.max_model_len, plan.max_model_len);
  LOG_INFO("memory: activations and logits {}", FormatBytes(plan.activation_bytes));
}

}  // namespace engram
