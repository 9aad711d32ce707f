// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/pread_reader.h"

#include <optional>

#include "base/check.h"

namespace engram {

class ReadThreads::Reader final : public BlockReader {
 public:
  Reader(ReadThreads* threads, int depth) : threads_(threads), depth_(depth) {
    done_.reserve(static_cast<std::size_t>(depth));
  }

  std::string_view name() const override { return "pread"; }
  int depth() const override { return depth_; }

  void Start(int slot, std::uint64_t offset, std::span<std::byte> to) override {
    {
      std::lock_guard lock(threads_->mutex_);
      threads_->jobs_.push_back({.reader = this, .slot = slot, .offset = offset, .to = to});
    }
    threads_->changed_.notify_one();
  }

  BlockReadResult Wait() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !done_.empty(); });
    const BlockReadResult result = done_.back();
    done_.pop_back();
    return result;
  }

  void Finish(const BlockReadResult& result) {
    // Told under the lock: once it is let go, the reader may take the result and be destroyed.
    std::lock_guard lock(mutex_);
    done_.push_back(result);
    changed_.notify_one();
  }

 private:
  ReadThreads* const threads_;
  const int depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<BlockReadResult> done_;  // protected by mutex_; at most depth_
};

ReadThreads::ReadThreads(const FileReader* file, int threads) : file_(file) {
  CHECK_GT(threads, 0);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

ReadThreads::~ReadThreads() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<BlockReader> ReadThreads::MakeReader(int depth) {
  return std::make_unique<Reader>(this, depth);
}

void ReadThreads::Work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    if (jobs_.empty()) return;  // closed
    const Job job = jobs_.front();
    jobs_.pop_front();
    lock.unlock();
    job.reader->Finish({.slot = job.slot, .result = file_->ReadAt(job.offset, job.to)});
  }
}

}  // namespace engram
