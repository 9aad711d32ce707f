// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/uring_reader.h"

#include <liburing.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace engram {
namespace {

constexpr std::string_view kUnregistered = "io_uring without registered buffers (raise ulimit -l)";

class UringReader final : public BlockReader {
 public:
  explicit UringReader(int depth) : depth_(depth) {}
  ~UringReader() override {
    if (made_) io_uring_queue_exit(&ring_);
  }

  absl::Status Make(int fd, std::span<std::byte> buffers) {
    const int error = io_uring_queue_init(static_cast<unsigned>(depth_), &ring_, 0);
    if (error < 0) return absl::ErrnoToStatus(-error, "io_uring_setup");
    made_ = true;
    if (const int files = io_uring_register_files(&ring_, &fd, 1); files < 0) {
      return absl::ErrnoToStatus(-files, "io_uring_register of a file");
    }
    // Registered memory counts as locked (ulimit -l). Where that is too little, reads go without.
    const iovec memory = {.iov_base = buffers.data(), .iov_len = buffers.size()};
    fixed_buffers_ = io_uring_register_buffers(&ring_, &memory, 1) == 0;
    return absl::OkStatus();
  }

  std::string_view name() const override { return fixed_buffers_ ? "io_uring" : kUnregistered; }
  int depth() const override { return depth_; }

  void Start(int slot, std::uint64_t offset, std::span<std::byte> to) override {
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    CHECK(entry != nullptr);  // the queue holds depth_ entries
    const auto size = static_cast<unsigned>(to.size());
    if (fixed_buffers_) {
      io_uring_prep_read_fixed(entry, 0, to.data(), size, offset, 0);
    } else {
      io_uring_prep_read(entry, 0, to.data(), size, offset);
    }
    entry->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(slot));
  }

  // What has ended is handed out before the kernel is asked again, so that the reads that are begun
  // meanwhile are submitted together.
  BlockReadResult Wait() override {
    io_uring_cqe* done = nullptr;
    while (io_uring_peek_cqe(&ring_, &done) != 0) {
      const int error = io_uring_submit_and_wait(&ring_, 1);
      const bool again = error == -EINTR || error == -EAGAIN || error == -EBUSY;
      CHECK_MSG(error >= 0 || again, std::string("io_uring_enter: ") + std::strerror(-error));
    }
    const BlockReadResult result = {.slot = static_cast<int>(io_uring_cqe_get_data64(done)),
                                    .result = done->res};
    io_uring_cqe_seen(&ring_, done);
    return result;
  }

 private:
  const int depth_;
  io_uring ring_{};
  bool made_ = false;
  bool fixed_buffers_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlockReader>> MakeUringReader(int fd, int depth,
                                                             std::span<std::byte> buffers) {
  auto reader = std::make_unique<UringReader>(depth);
  if (absl::Status status = reader->Make(fd, buffers); !status.ok()) return status;
  return reader;
}

}  // namespace engram
