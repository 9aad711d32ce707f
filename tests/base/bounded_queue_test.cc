// SPDX-License-Identifier: Apache-2.0
#include "base/bounded_queue.h"

#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(BoundedQueue, RefusesWhenFullAndLeavesTheItem) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(queue.TryPush(std::move(second)));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(queue.PopAll(Duration::zero()).size(), 1u);
  EXPECT_TRUE(queue.TryPush(std::move(second)));
}

TEST(BoundedQueue, CloseRefusesButKeepsWhatIsThere) {
  BoundedQueue<int> queue(4);
  EXPECT_TRUE(queue.TryPush(1));
  queue.Close();
  EXPECT_FALSE(queue.TryPush(2));
  EXPECT_EQ(queue.PopAll(std::chrono::hours(1)), std::vector<int>{1});
}

TEST(BoundedQueue, WakeEndsAWait) {
  BoundedQueue<int> queue(4);
  std::thread waker([&] { queue.Wake(); });
  EXPECT_TRUE(queue.PopAll(std::chrono::hours(1)).empty());
  waker.join();
}

TEST(BoundedQueue, NothingIsLostBetweenThreads) {
  BoundedQueue<int> queue(16);
  std::vector<std::thread> producers;
  for (int p = 0; p < 4; ++p) {
    producers.emplace_back([&queue, p] {
      for (int i = 0; i < 1000; ++i) {
        int item = p * 1000 + i;
        while (!queue.TryPush(std::move(item))) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(4, 0);
  for (int seen = 0; seen < 4000;) {
    for (const int item : queue.PopAll(std::chrono::milliseconds(10))) {
      EXPECT_EQ(item % 1000, next[item / 1000]++);  // in order per producer
      ++seen;
    }
  }
  for (auto& producer : producers) producer.join();
}

}  // namespace
}  // namespace engram
