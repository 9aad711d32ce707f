// SPDX-License-Identifier: Apache-2.0
#include "engine/throughput_log.h"

#include "gtest/gtest.h"

namespace engram {
namespace {

using std::chrono::seconds;

TEST(ThroughputLog, SpeaksEveryTenSecondsIfThereWasWork) {
  ThroughputLog log{TimePoint{}};
  SchedulerStats stats;
  stats.running_sequences = 3;
  stats.waiting_sequences = 2;
  stats.blocks_total = 200;
  stats.blocks_used = 50;
  stats.prefix_queried_tokens = 1000;
  stats.prefix_hit_tokens = 125;
  EXPECT_FALSE(log.Tick(TimePoint(seconds(9)), 500, 20, stats).has_value());
  EXPECT_EQ(log.Tick(TimePoint(seconds(10)), 1000, 25, stats),
            "Avg prompt throughput: 100.0 tokens/s, Avg generation throughput: 2.5 tokens/s, "
            "Running: 3 reqs, Waiting: 2 reqs, KV cache usage: 25.0%, "
            "Prefix cache hit rate: 12.5%");
  EXPECT_FALSE(log.Tick(TimePoint(seconds(19)), 1000, 26, stats).has_value());
  EXPECT_TRUE(log.Tick(TimePoint(seconds(20)), 1000, 26, stats).has_value());
  EXPECT_FALSE(log.Tick(TimePoint(seconds(30)), 1000, 26, stats).has_value()) << "nothing was done";
}

}  // namespace
}  // namespace engram
