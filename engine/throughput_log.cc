// SPDX-License-Identifier: Apache-2.0
#include "engine/throughput_log.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace engram {

std::optional<std::string> ThroughputLog::Tick(TimePoint now, std::int64_t prompt_tokens,
                                               std::int64_t generated_tokens,
                                               const SchedulerStats& stats) {
  if (now - since_ < kThroughputLogInterval) return std::nullopt;
  const double seconds = std::chrono::duration<double>(now - since_).count();
  const std::int64_t prompt = prompt_tokens - prompt_tokens_;
  const std::int64_t generated = generated_tokens - generated_tokens_;
  since_ = now;
  prompt_tokens_ = prompt_tokens;
  generated_tokens_ = generated_tokens;
  if (prompt == 0 && generated == 0) return std::nullopt;
  const auto percent = [](auto part, auto whole) {
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  };
  char line[256];
  std::snprintf(line, std::size(line),
                "Avg prompt throughput: %.1f tokens/s, Avg generation throughput: %.1f tokens/s, "
                "Running: %d reqs, Waiting: %d reqs, KV cache usage: %.1f%%, "
                "Prefix cache hit rate: %.1f%%",
                static_cast<double>(prompt) / seconds, static_cast<double>(generated) / seconds,
                stats.running_sequences, stats.waiting_sequences,
                percent(stats.blocks_used, stats.blocks_total),
                percent(stats.prefix_hit_tokens, stats.prefix_queried_tokens));
  return line;
}

}  // namespace engram
