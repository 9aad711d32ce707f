// SPDX-License-Identifier: Apache-2.0
// The line that says every ten seconds how the engine is doing, in the words of vLLM's, because
// people search their logs for them. Silent while there is nothing to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "engine/scheduler/scheduler.h"

namespace engram {

inline constexpr Duration kThroughputLogInterval = std::chrono::seconds(10);

// Not thread-safe.
class ThroughputLog {
 public:
  explicit ThroughputLog(TimePoint now) : since_(now) {}

  // The line that is due at `now`, if one is and something has been computed since the last. The
  // token counts are totals since the start.
  std::optional<std::string> Tick(TimePoint now, std::int64_t prompt_tokens,
                                  std::int64_t generated_tokens, const SchedulerStats& stats);

 private:
  TimePoint since_;
  std::int64_t prompt_tokens_ = 0;
  std::int64_t generated_tokens_ = 0;
};

}  // namespace engram
