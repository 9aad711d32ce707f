// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/thread_pool.h"

#include <chrono>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"

namespace engram::cpu {
namespace {

TEST(ThreadPool, RunsEveryThreadOncePerJob) {
  for (const int threads : {1, 2, 7}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.threads(), threads);
    std::vector<int> calls(threads);
    for (int job = 1; job <= 500; ++job) {
      pool.Run([&](int thread) { ++calls[thread]; });
      // Plain ints: what the threads wrote is seen here without further ado.
      ASSERT_EQ(calls, std::vector<int>(threads, job));
    }
  }
}

TEST(ThreadPool, RangesCoverEverythingOnce) {
  ThreadPool pool(3);
  for (const std::int64_t count : {0, 1, 2, 3, 10, 1000}) {
    for (const std::int64_t grain : {1, 4, 2000}) {
      std::vector<int> touched(count);
      std::vector<std::int64_t> size(3);
      pool.ForRanges(count, grain, [&](std::int64_t begin, std::int64_t end, int thread) {
        for (std::int64_t i = begin; i < end; ++i) ++touched[i];
        size[thread] += end - begin;
      });
      EXPECT_EQ(touched, std::vector<int>(count, 1));
      EXPECT_EQ(std::accumulate(size.begin(), size.end(), std::int64_t{0}), count);
    }
  }
}

TEST(ThreadPool, AThreadGetsTheSameRangeEveryTime) {
  ThreadPool pool(4);
  const auto ranges = [&] {
    std::vector<std::int64_t> begins(4);
    pool.ForRanges(103, 1,
                   [&](std::int64_t begin, std::int64_t, int thread) { begins[thread] = begin; });
    return begins;
  };
  const std::vector<std::int64_t> first = ranges();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(ranges(), first);
}

// Longer than the threads spin: they sleep and must be woken.
TEST(ThreadPool, WakesThreadsThatSleep) {
  ThreadPool pool(3);
  std::vector<int> calls(3);
  for (int job = 1; job <= 3; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    pool.Run([&](int thread) {
      if (thread == 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ++calls[thread];
    });
    EXPECT_EQ(calls, std::vector<int>(3, job));
  }
}

TEST(ThreadPool, ZeroMeansTheMachine) { EXPECT_GE(ThreadPool(0).threads(), 1); }

}  // namespace
}  // namespace engram::cpu
