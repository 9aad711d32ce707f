// SPDX-License-Identifier: Apache-2.0
// Claims, readiness, dropping and closing, alone and with many threads (run it under tsan).
#include "engine/engram/job_board.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(JobBoardTest, EveryJobOnceEarliestLayerFirst) {
  JobBoard board(2);
  board.Post(2);
  std::vector<std::pair<int, int>> order;
  for (int i = 0; i < 4; ++i) {
    const auto job = board.WaitForJob();
    ASSERT_TRUE(job.has_value());
    order.emplace_back(job->layer, job->index);
    board.Finish(*job);
  }
  EXPECT_EQ(order, (std::vector<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 0}, {1, 1}}));
  EXPECT_FALSE(board.TryTake(0).has_value());
  EXPECT_FALSE(board.TryTake(1).has_value());
}

TEST(JobBoardTest, ALayerIsReadyWhenItsLastJobIsFinished) {
  JobBoard board(2);
  EXPECT_FALSE(board.IsReady(0));
  board.Post(2);
  const auto first = board.TryTake(1);
  const auto second = board.TryTake(1);
  board.Finish(*second);
  EXPECT_FALSE(board.IsReady(1));
  board.Finish(*first);
  EXPECT_TRUE(board.IsReady(1));
  EXPECT_FALSE(board.IsReady(0));
  board.WaitUntilReady(1);
}

TEST(JobBoardTest, DropTakesEverythingDown) {
  JobBoard board(2);
  board.Post(1);
  board.Finish(*board.TryTake(0));
  EXPECT_TRUE(board.IsReady(0));
  board.Drop();
  EXPECT_FALSE(board.IsReady(0));
  EXPECT_FALSE(board.TryTake(1).has_value());
  board.Post(3);
  int jobs = 0;
  while (const auto job = board.TryTake(1)) {
    EXPECT_EQ(job->index, jobs++);
    board.Finish(*job);
  }
  EXPECT_EQ(jobs, 3);
}

TEST(JobBoardTest, DropWaitsForRunningJobs) {
  JobBoard board(1);
  board.Post(1);
  const auto job = board.TryTake(0);
  std::atomic<bool> finishing{false};
  std::thread worker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    finishing = true;
    board.Finish(*job);
  });
  board.Drop();
  EXPECT_TRUE(finishing);
  worker.join();
}

TEST(JobBoardTest, CloseReleasesWaitingWorkers) {
  JobBoard board(1);
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] { EXPECT_FALSE(board.WaitForJob().has_value()); });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  board.Close();
  for (std::thread& worker : workers) worker.join();
}

TEST(JobBoardTest, IdleIsWhenNothingIsUpOrRunning) {
  JobBoard board(2);
  EXPECT_TRUE(board.WaitUntilIdle());
  board.Post(1);
  std::atomic<bool> idle{false};
  std::thread waiter([&] {
    EXPECT_TRUE(board.WaitUntilIdle());
    idle = true;
    EXPECT_FALSE((board.Close(), board.WaitUntilIdle())) << "closed";
  });
  board.Finish(*board.WaitForJob());
  const JobBoard::Job last = *board.WaitForJob();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(idle) << "the second layer's job runs";
  board.Finish(last);
  waiter.join();
}

// Each job writes plain ints; whoever sees the layer ready must see them.
TEST(JobBoardTest, ReadinessPublishesTheJobsWork) {
  constexpr int kLayers = 3;
  constexpr int kJobs = 5;
  JobBoard board(kLayers);
  int step = 0;                         // written between Drop and Post
  int done[kLayers][kJobs] = {};        // written by the jobs
  const auto run = [&](JobBoard::Job job) {
    done[job.layer][job.index] = step;
    board.Finish(job);
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      while (const auto job = board.WaitForJob()) run(*job);
    });
  }
  for (int round = 1; round <= 300; ++round) {
    board.Drop();
    step = round;
    board.Post(kJobs);
    if (round % 3 == 0) continue;  // given up
    for (int layer = 0; layer < kLayers; ++layer) {
      while (const auto job = board.TryTake(layer)) run(*job);
      board.WaitUntilReady(layer);
      for (const int value : done[layer]) EXPECT_EQ(value, round);
    }
  }
  board.Close();
  for (std::thread& worker : workers) worker.join();
}

TEST(JobBoardDeathTest, MisuseEndsTheProcess) {
  JobBoard board(1);
  board.Post(1);
  EXPECT_DEATH(board.Post(1), "layer.unclaimed == 0");
  EXPECT_DEATH(board.Finish({0, 0}), "running_ > 0");
}

}  // namespace
}  // namespace engram
