// SPDX-License-Identifier: Apache-2.0
// A few threads for the text work of gRPC calls (templates, tokenizing, detokenizing), which
// belongs neither on gRPC's own threads, where it would hold up other calls' bytes, nor on the
// engine's.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace engram {

// Thread-safe.
class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  // Runs what was posted before, then ends the threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `task` soon, on one of the threads. Not bounded here: a call posts one task at a time, and
  // calls are.
  void Post(std::function<void()> task);

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  // State below is protected by mutex_.
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace engram
