// SPDX-License-Identifier: Apache-2.0
// A file to read from, closed when this goes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace engram::bench {

class ReadOnlyFile {
 public:
  // `flags`: of open(2). Unimplemented, if O_DIRECT is one and the file system takes none.
  static absl::StatusOr<ReadOnlyFile> Open(const std::string& path, int flags);
  ReadOnlyFile(ReadOnlyFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), bytes_(other.bytes_) {}
  ~ReadOnlyFile();

  int fd() const { return fd_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  explicit ReadOnlyFile(int fd) : fd_(fd) {}

  int fd_;
  std::int64_t bytes_ = 0;
};

}  // namespace engram::bench
