// SPDX-License-Identifier: Apache-2.0
// Who does what of a step's gather: jobs numbered per layer, claimed once each, earliest layer
// first. Only the bookkeeping and the waiting; what a job is, its owner knows. std::mutex, so that
// ThreadSanitizer can follow it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

namespace engram {

// Thread-safe. One thread posts and drops; any thread takes jobs and finishes those it took.
class JobBoard {
 public:
  struct Job {
    int layer = 0;
    int index = 0;
  };

  explicit JobBoard(int layer_count) : layers_(layer_count) {}

  // Puts jobs [0, jobs_per_layer) of every layer up. What the poster wrote before is visible to the
  // jobs. REQUIRES: nothing is up or running (new, or just dropped); jobs_per_layer > 0.
  void Post(int jobs_per_layer);
  // Takes down what nobody has claimed and waits for the running jobs. No layer is ready
  // afterwards.
  void Drop();
  // As Drop, for good: WaitForJob returns nullopt from now on.
  void Close();

  // Waits for a job; nullopt: closed.
  std::optional<Job> WaitForJob();
  // A job of `layer`, if one is left.
  std::optional<Job> TryTake(int layer);
  // REQUIRES: `job` was taken and not yet finished.
  void Finish(Job job);

  // All jobs of `layer` are finished; what they wrote is visible to the caller.
  bool IsReady(int layer) const { return layers_[layer].ready.load(std::memory_order_acquire); }
  // Waits for that. REQUIRES: jobs were posted and not dropped.
  void WaitUntilReady(int layer);
  // Waits until no job is up or running; false: closed.
  bool WaitUntilIdle();

 private:
  struct Layer {
    std::atomic<bool> ready{false};  // written under mutex_, polled without
    // State below is protected by mutex_.
    int unclaimed = 0;  // they are the last ones
    int unfinished = 0;
  };

  // REQUIRES: mutex_ is held.
  std::optional<Job> TakeLocked(int layer);
  std::optional<Job> TakeAnyLocked();
  bool IsIdleLocked() const;
  void DropLocked(std::unique_lock<std::mutex>* lock);

  std::mutex mutex_;
  std::condition_variable posted_;    // or closed
  std::condition_variable finished_;  // a layer's last job, or the last running one
  // State below is protected by mutex_.
  std::deque<Layer> layers_;
  int jobs_per_layer_ = 0;
  int running_ = 0;
  bool closed_ = false;
};

}  // namespace engram
