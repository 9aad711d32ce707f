// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/job_board.h"

#include <algorithm>
#include <thread>

#include "base/check.h"

namespace engram {
namespace {

// Polls before a wait sleeps: mostly one job, tens of microseconds, is not yet finished. Between
// polls the core is offered to others, for the job may want it.
constexpr int kPollsMax = 64;

}  // namespace

void JobBoard::Post(int jobs_per_layer) {
  CHECK_GT(jobs_per_layer, 0);
  {
    std::lock_guard lock(mutex_);
    CHECK_EQ(running_, 0);
    jobs_per_layer_ = jobs_per_layer;
    for (Layer& layer : layers_) {
      CHECK_EQ(layer.unclaimed, 0);
      layer.ready.store(false, std::memory_order_relaxed);
      layer.unclaimed = layer.unfinished = jobs_per_layer;
    }
  }
  posted_.notify_all();
}

void JobBoard::Drop() {
  std::unique_lock lock(mutex_);
  DropLocked(&lock);
}

void JobBoard::Close() {
  {
    std::unique_lock lock(mutex_);
    closed_ = true;
    DropLocked(&lock);
  }
  posted_.notify_all();
  finished_.notify_all();
}

void JobBoard::DropLocked(std::unique_lock<std::mutex>* lock) {
  for (Layer& layer : layers_) layer.unclaimed = 0;
  finished_.wait(*lock, [this] { return running_ == 0; });
  for (Layer& layer : layers_) layer.ready.store(false, std::memory_order_relaxed);
}

std::optional<JobBoard::Job> JobBoard::WaitForJob() {
  std::unique_lock lock(mutex_);
  std::optional<Job> job;
  posted_.wait(lock, [&] { return closed_ || (job = TakeAnyLocked()); });
  return job;
}

std::optional<JobBoard::Job> JobBoard::TryTake(int layer) {
  std::lock_guard lock(mutex_);
  return TakeLocked(layer);
}

std::optional<JobBoard::Job> JobBoard::TakeLocked(int layer) {
  if (layers_[layer].unclaimed == 0) return std::nullopt;
  ++running_;
  return Job{layer, jobs_per_layer_ - layers_[layer].unclaimed--};
}

std::optional<JobBoard::Job> JobBoard::TakeAnyLocked() {
  for (int layer = 0; layer < static_cast<int>(layers_.size()); ++layer) {
    if (std::optional<Job> job = TakeLocked(layer)) return job;
  }
  return std::nullopt;
}

void JobBoard::Finish(Job job) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    Layer& layer = layers_[job.layer];
    CHECK_GT(running_, 0);
    CHECK_GT(layer.unfinished, layer.unclaimed);
    --running_;
    --layer.unfinished;
    if (layer.unfinished == 0) layer.ready.store(true, std::memory_order_release);
    wake = layer.unfinished == 0 || running_ == 0;
  }
  if (wake) finished_.notify_all();
}

void JobBoard::WaitUntilReady(int layer) {
  for (int poll = 0; poll < kPollsMax; ++poll) {
    if (IsReady(layer)) return;
    std::this_thread::yield();
  }
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [&] { return IsReady(layer); });
}

bool JobBoard::IsIdleLocked() const {
  return running_ == 0 &&
         std::ranges::all_of(layers_, [](const Layer& layer) { return layer.unclaimed == 0; });
}

bool JobBoard::WaitUntilIdle() {
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [this] { return closed_ || IsIdleLocked(); });
  return !closed_;
}

}  // namespace engram
