// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_load.h"

#include <atomic>
#include <thread>
#include <vector>

#include "base/field_error.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

SchedulerOptions Options(int requests, std::int64_t tokens) {
  SchedulerOptions options;
  options.max_waiting_requests = requests;
  options.max_waiting_tokens = tokens;
  return options;
}

TEST(EngineLoad, CountsRequestsOnTheirWayAndInTheScheduler) {
  EngineLoad load(Options(3, 100));
  EXPECT_TRUE(load.Enter(2, 20).ok());
  SchedulerStats stats;
  stats.live_requests = 2;
  stats.waiting_requests = 2;
  stats.waiting_tokens = 20;
  load.Update(2, 20, stats);
  EXPECT_EQ(load.snapshot().waiting_requests, 2);
  EXPECT_EQ(load.snapshot().waiting_tokens, 20);
  EXPECT_TRUE(load.Enter(1, 10).ok());
  const absl::Status full = load.Enter(1, 10);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorCodeOf(full), "queue_full");
  // The scheduler starts one: there is room for one more.
  stats.waiting_requests = 1;
  stats.waiting_tokens = 10;
  load.Update(0, 0, stats);
  EXPECT_TRUE(load.Enter(1, 10).ok());
  EXPECT_FALSE(load.Enter(1, 10).ok());
}

TEST(EngineLoad, RefusesTooManyTokensAndLetsAllInOrNone) {
  EngineLoad load(Options(10, 100));
  EXPECT_FALSE(load.Enter(2, 101).ok());
  EXPECT_TRUE(load.Enter(2, 100).ok());
  EXPECT_FALSE(load.Enter(1, 1).ok());
  load.TurnBack(2, 100);
  EXPECT_FALSE(load.Enter(11, 1).ok());
  EXPECT_TRUE(load.Enter(10, 1).ok());
}

TEST(EngineLoad, DrainingRefusesAndIdleIsWhenNothingIsLeft) {
  EngineLoad load(Options(10, 100));
  EXPECT_TRUE(load.WaitIdle(Duration::zero()));
  EXPECT_TRUE(load.Enter(1, 1).ok());
  load.BeginDrain();
  const absl::Status refused = load.Enter(1, 1);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorCodeOf(refused), "server_draining");
  EXPECT_TRUE(load.snapshot().has_work);
  EXPECT_FALSE(load.WaitIdle(std::chrono::milliseconds(1)));
  std::thread engine([&load] { load.Update(1, 1, SchedulerStats{}); });
  EXPECT_TRUE(load.WaitIdle(std::chrono::hours(1)));
  engine.join();
}

TEST(EngineLoad, ManyThreadsNeverGetPastTheLimit) {
  EngineLoad load(Options(50, 1000));
  std::atomic<int> let_in{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      for (int j = 0; j < 100; ++j) let_in += load.Enter(1, 3).ok();
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(let_in, 50);
}

}  // namespace
}  // namespace engram
