// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/uring_limit.h"

#include <fcntl.h>
#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "tools/bench/table/read_only_file.h"

namespace engram::bench {
namespace {

using SteadyTime = std::chrono::steady_clock;

constexpr std::size_t kBlock = 4096;

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

// A ring for one file, and a buffer of a block for each read under way.
class RandomReader {
 public:
  RandomReader(int fd, std::uint64_t blocks, int depth)
      : blocks_(blocks),
        depth_(depth),
        memory_(static_cast<std::byte*>(std::aligned_alloc(kBlock, depth * kBlock))),
        random_(std::random_device()()) {  // other places each time: nobody has kept them
    CHECK(memory_ != nullptr);
    error_ = -io_uring_queue_init(depth, &ring_, 0);
    if (error_ != 0) return;
    has_ring_ = true;
    std::vector<iovec> buffers;
    for (int i = 0; i < depth; ++i) buffers.push_back({memory_.get() + i * kBlock, kBlock});
    error_ = -io_uring_register_files(&ring_, &fd, 1);
    if (error_ == 0) error_ = -io_uring_register_buffers(&ring_, buffers.data(), buffers.size());
  }
  RandomReader(const RandomReader&) = delete;
  ~RandomReader() {
    if (has_ring_) io_uring_queue_exit(&ring_);
  }

  // Why there is no ring; 0 if there is.
  int error() const { return error_; }

  // Reads per second, or a negative errno. After each `batch` reads all have ended before the next
  // begins.
  double Run(double seconds, std::int64_t batch) {
    const auto begin = SteadyTime::now();
    const auto passed = [&] {
      return std::chrono::duration<double>(SteadyTime::now() - begin).count();
    };
    std::vector<int> idle(depth_);
    std::iota(idle.begin(), idle.end(), 0);
    std::int64_t reads = 0;
    std::int64_t begun = 0;  // of the batch
    for (;;) {
      const bool more = passed() < seconds && error_ == 0;
      for (; more && begun < batch && !idle.empty(); idle.pop_back(), ++begun) Start(idle.back());
      if (std::ssize(idle) == depth_) {
        if (!more) break;
        begun = 0;
        continue;
      }
      if (const int result = io_uring_submit_and_wait(&ring_, 1); result < 0) return result;
      io_uring_cqe* done = nullptr;
      for (; io_uring_peek_cqe(&ring_, &done) == 0; ++reads) {
        if (done->res < 0) error_ = -done->res;
        idle.push_back(static_cast<int>(done->user_data));
        io_uring_cqe_seen(&ring_, done);
      }
    }
    return error_ != 0 ? -error_ : static_cast<double>(reads) / passed();
  }

 private:
  void Start(int slot) {
    io_uring_sqe* const read = io_uring_get_sqe(&ring_);
    CHECK(read != nullptr);
    io_uring_prep_read_fixed(read, /*fd=*/0, memory_.get() + slot * kBlock, kBlock,
                             random_() % blocks_ * kBlock, slot);
    read->flags |= IOSQE_FIXED_FILE;
    read->user_data = static_cast<std::uint64_t>(slot);
  }

  const std::uint64_t blocks_;
  const int depth_;
  const std::unique_ptr<std::byte[], Free> memory_;  // [depth, kBlock]
  io_uring ring_{};
  bool has_ring_ = false;
  int error_ = 0;
  std::mt19937_64 random_;
};

// The rates of `threads` readers together.
absl::StatusOr<double> Measure(const std::string& path, int threads, int depth, std::int64_t batch,
                               double seconds) {
  CHECK_GT(depth, 0);
  ASSIGN_OR_RETURN(const ReadOnlyFile file, ReadOnlyFile::Open(path, O_DIRECT));
  const std::uint64_t blocks =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(file.bytes()) / kBlock);
  std::vector<std::unique_ptr<RandomReader>> readers;
  for (int t = 0; t < threads; ++t) {
    readers.push_back(std::make_unique<RandomReader>(file.fd(), blocks, depth));
    if (const int error = readers.back()->error(); error != 0) {
      return absl::UnimplementedError(
          absl::StrCat("io_uring: ", absl::ErrnoToStatus(error, "").message()));
    }
  }
  std::vector<double> rates(threads);
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] { rates[t] = readers[t]->Run(seconds, batch); });
  }
  for (std::thread& thread : running) thread.join();
  for (const double rate : rates) {
    if (rate >= 0) continue;
    return absl::ErrnoToStatus(static_cast<int>(-rate), absl::StrCat(path, ": cannot read"));
  }
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

}  // namespace

absl::StatusOr<double> MeasureUringReads(const std::string& path, int depth, double seconds) {
  return Measure(path, /*threads=*/1, depth, std::numeric_limits<std::int64_t>::max(), seconds);
}

absl::StatusOr<double> MeasureUringBatches(const std::string& path, int threads, int batch,
                                           double seconds) {
  return Measure(path, threads, std::min(batch, kUringDepthMax), batch, seconds);
}

}  // namespace engram::bench
