// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace engram::cpu {
namespace {

// As long as waking a sleeping thread takes, roughly: then waiting costs at most twice the best.
constexpr std::chrono::microseconds kSpin{30};
constexpr int kPollsPerClockRead = 64;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

// Returns when `value` is no longer `old`.
void WaitWhile(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPollsPerClockRead; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  CHECK_GE(threads, 0);
  if (threads == 0) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  workers_.reserve(threads - 1);
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { Work(i); });
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  job_number_.fetch_add(1, std::memory_order_release);
  job_number_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::int64_t ThreadPool::Parts(std::int64_t count, std::int64_t grain) const {
  return std::min<std::int64_t>(threads(), count / std::max<std::int64_t>(grain, 1));
}

void ThreadPool::RunJob(const Job& job) {
  if (!workers_.empty()) {
    job_ = job;
    running_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
    job_number_.fetch_add(1, std::memory_order_release);
    job_number_.notify_all();
  }
  job.call(job.context, 0);
  for (std::uint32_t left; (left = running_.load(std::memory_order_acquire)) != 0;) {
    WaitWhile(running_, left);
  }
}

void ThreadPool::Work(int thread) {
  for (std::uint32_t seen = 0;;) {
    WaitWhile(job_number_, seen);
    ++seen;
    if (stopping_.load(std::memory_order_relaxed)) return;
    job_.call(job_.context, thread);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
  }
}

}  // namespace engram::cpu
