// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/load_run.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

namespace engram {
namespace {

constexpr Duration kLogInterval = std::chrono::seconds(5);

class Load {
 public:
  explicit Load(const LoadRun& run) : run_(run) {}

  absl::Status Run() {
    const TimePoint begin = clock_.Now();
    running_ = run_.threads;
    std::vector<std::thread> workers;
    for (int i = 0; i < run_.threads; ++i) workers.emplace_back([this, i] { Work(i); });
    LogUntilDone(begin);
    for (std::thread& worker : workers) worker.join();
    return status_;
  }

 private:
  void Work(int thread) {
    absl::Status status;
    while (status.ok() && !failed_) {
      const std::size_t piece = next_++;
      if (piece >= run_.pieces) break;
      status = run_.load(thread, piece);
      ++loaded_;
    }
    std::lock_guard lock(mutex_);
    status_.Update(status);
    if (!status.ok()) failed_ = true;
    --running_;
    changed_.notify_all();
  }

  void LogUntilDone(TimePoint begin) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kLogInterval, [this] { return running_ == 0; })) Log(begin);
    if (status_.ok()) Log(begin);
  }

  void Log(TimePoint begin) const {
    constexpr double kGiB = 1 << 30;
    const double seconds = std::chrono::duration<double>(clock_.Now() - begin).count();
    const double all = static_cast<double>(run_.bytes) / kGiB;
    const auto pieces = static_cast<double>(std::max<std::size_t>(1, run_.pieces));
    const double loaded = all * static_cast<double>(loaded_) / pieces;
    LOG_INFO("engram table: {:.2f} of {:.2f} GiB loaded from {}, {:.2f} GiB/s", loaded, all,
             run_.path, loaded / std::max(seconds, 1e-9));
  }

  const LoadRun& run_;
  const SteadyClock clock_;
  std::atomic<std::size_t> next_{0};    // piece
  std::atomic<std::size_t> loaded_{0};  // pieces, for the log
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  // State below is protected by mutex_.
  int running_ = 0;  // workers
  absl::Status status_;
};

}  // namespace

absl::Status RunLoad(const LoadRun& run) {
  CHECK_GT(run.threads, 0);
  return Load(run).Run();
}

}  // namespace engram
