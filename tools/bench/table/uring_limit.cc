// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/uring_limit.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"

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
        memory_(static_cast<std::byte*>(std::aligned_alloc(kBlock, depth * kBlock))) {
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

  // Reads per second, or a negative errno.
  double Run(double seconds) {
    const auto begin = SteadyTime::now();
    const auto passed = [&] {
      return std::chrono::duration<double>(SteadyTime::now() - begin).count();
    };
    std::int64_t reads = 0;
    int under_way = 0;
    for (; under_way < depth_; ++under_way) Start(under_way);
    while (under_way > 0) {
      if (const int result = io_uring_submit_and_wait(&ring_, 1); result < 0) return result;
      const bool more = passed() < seconds && error_ == 0;
      io_uring_cqe* done = nullptr;
      while (io_uring_peek_cqe(&ring_, &done) == 0) {
        if (done->res < 0) error_ = -done->res;
        const auto slot = static_cast<int>(done->user_data);
        io_uring_cqe_seen(&ring_, done);
        ++reads;
        if (more) {
          Start(slot);
        } else {
          --under_way;
        }
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

}  // namespace

absl::StatusOr<double> MeasureUringReads(const std::string& path, int depth, double seconds) {
  CHECK_GT(depth, 0);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (fd < 0 && errno == EINVAL) return absl::UnimplementedError(absl::StrCat(path, ": O_DIRECT"));
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot open"));
  struct stat info {};
  const bool known = ::fstat(fd, &info) == 0;
  const std::uint64_t blocks = known ? static_cast<std::uint64_t>(info.st_size) / kBlock : 0;
  double rate = 0;
  int error = 0;
  {
    RandomReader reader(fd, std::max<std::uint64_t>(1, blocks), depth);
    error = reader.error();
    if (error == 0) rate = reader.Run(seconds);
  }
  ::close(fd);
  if (error != 0) {
    return absl::UnimplementedError(
        absl::StrCat("io_uring: ", absl::ErrnoToStatus(error, "").message()));
  }
  if (rate < 0) {
    return absl::ErrnoToStatus(static_cast<int>(-rate), absl::StrCat(path, ": cannot read"));
  }
  return rate;
}

}  // namespace engram::bench
