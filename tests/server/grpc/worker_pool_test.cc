// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/worker_pool.h"

#include <atomic>
#include <memory>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(WorkerPoolTest, RunsEverythingBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    WorkerPool pool(3);
    for (int i = 0; i < 1000; ++i) pool.Post([&] { ++ran; });
  }
  EXPECT_EQ(ran, 1000);
}

TEST(WorkerPoolTest, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Post([&order, i] { order.push_back(i); });
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(WorkerPoolTest, TasksMayPostTasks) {
  std::atomic<int> ran = 0;
  {
    WorkerPool pool(2);
    pool.Post([&] {
      ++ran;
      pool.Post([&] { ++ran; });
    });
  }
  EXPECT_EQ(ran, 2);
}

TEST(WorkerPoolTest, ATaskDiesWhenItIsDone) {
  const auto held = std::make_shared<int>(1);
  WorkerPool pool(1);
  std::atomic<bool> done = false;
  pool.Post([copy = held] {});
  pool.Post([&] { done = true; });
  while (!done) std::this_thread::yield();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace engram
