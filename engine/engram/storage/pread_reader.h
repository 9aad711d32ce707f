// SPDX-License-Identifier: Apache-2.0
// BlockReader on threads that each wait for one pread: for systems without io_uring, and for tests,
// whose files need not be real.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "engine/engram/storage/block_reader.h"
#include "engine/engram/storage/file_reader.h"

namespace engram {

// Threads that read, shared by the readers of a table. Thread-safe.
class ReadThreads {
 public:
  // `file` must outlive this.
  ReadThreads(const FileReader* file, int threads);
  ~ReadThreads();

  // A reader of up to `depth` reads at once. This must outlive it.
  std::unique_ptr<BlockReader> MakeReader(int depth);

 private:
  class Reader;
  struct Job {
    Reader* reader = nullptr;
    int slot = 0;
    std::uint64_t offset = 0;
    std::span<std::byte> to;
  };

  void Work();

  const FileReader* const file_;
  std::mutex mutex_;
  std::condition_variable changed_;  // a job, or closed
  // State below is protected by mutex_.
  std::deque<Job> jobs_;
  bool closed_ = false;

  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace engram
