// SPDX-License-Identifier: Apache-2.0
// The CPU backend's threads. Work is cut statically: thread i of P gets the i-th of P equal ranges,
// so that a thread meets the same weights at every step. A thread without work spins for a moment,
// since the next op follows within microseconds, and then sleeps in a futex: on a machine with
// other work (or a server with nothing to do) spinning on would cost more than waking up.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace engram::cpu {

class ThreadPool {
 public:
  // `threads` counts the caller of Run: one less is started. 0 = one per processor this process may
  // use.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(thread) once on every thread 0 … threads() − 1, thread 0 being the caller; returns
  // when all are done. What the caller wrote before, the threads see, and the other way round.
  template <typename Body>
  void Run(const Body& body) {
    RunJob({[](const void* context, int thread) { (*static_cast<const Body*>(context))(thread); },
            &body});
  }

  // Calls body(begin, end, thread) with the ranges that threads get of [0, count): at least `grain`
  // each, the caller alone if there is no more than that.
  template <typename Body>
  void ForRanges(std::int64_t count, std::int64_t grain, const Body& body) {
    const std::int64_t parts = Parts(count, grain);
    if (parts <= 1) {
      if (count > 0) body(std::int64_t{0}, count, 0);
      return;
    }
    Run([&](int thread) {
      if (thread >= parts) return;
      body(count * thread / parts, count * (thread + 1) / parts, thread);
    });
  }

 private:
  struct Job {
    void (*call)(const void* context, int thread) = nullptr;
    const void* context = nullptr;
  };

  std::int64_t Parts(std::int64_t count, std::int64_t grain) const;
  void RunJob(const Job& job);
  void Work(int thread);

  // The fields on lines of their own: the workers poll one while the caller writes the other.
  // Written by the caller before it advances job_number_, read by the workers after.
  Job job_;
  std::atomic<bool> stopping_ = false;
  alignas(64) std::atomic<std::uint32_t> job_number_ = 0;
  alignas(64) std::atomic<std::uint32_t> running_ = 0;  // workers that have not finished the job

  std::vector<std::thread> workers_;  // constant after construction
};

}  // namespace engram::cpu
