// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace engram::bench {
namespace {

absl::Status SystemError(int error, const std::string& path, const std::string& what) {
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": ", what));
}

}  // namespace

absl::StatusOr<DirectFile> DirectFile::Create(const std::string& path, std::int64_t bytes) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  bool direct = true;
  int fd = ::open(path.c_str(), kFlags | O_DIRECT, 0644);
  if (fd < 0 && errno == EINVAL) {
    // The file is there all the same: Linux makes it before it looks at O_DIRECT.
    direct = false;
    fd = ::open(path.c_str(), kFlags & ~O_EXCL, 0644);
  }
  if (fd < 0) return SystemError(errno, path, "cannot create");
  DirectFile file(path, fd, bytes, direct);
  // Taken now, so that a full disk is an error before the work and not after it.
  if (::fallocate(fd, 0, 0, bytes) != 0 && errno != EOPNOTSUPP) {
    return SystemError(errno, path, absl::StrCat("cannot reserve ", bytes, " bytes"));
  }
  return file;
}

DirectFile::DirectFile(DirectFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      bytes_(other.bytes_),
      direct_(other.direct_) {}

DirectFile::~DirectFile() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status DirectFile::Write(std::int64_t offset, std::span<const std::byte> data) const {
  CHECK_EQ(static_cast<std::size_t>(offset) % kDirectAlignment, 0u);
  CHECK_EQ(reinterpret_cast<std::uintptr_t>(data.data()) % kDirectAlignment, 0u);
  CHECK_EQ(data.size() % kDirectAlignment, 0u);
  while (!data.empty()) {
    const ssize_t written = ::pwrite(fd_, data.data(), data.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return SystemError(written < 0 ? errno : ENOSPC, path_, "cannot write");
    offset += written;
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status DirectFile::Finish() const {
  if (::ftruncate(fd_, bytes_) != 0) return SystemError(errno, path_, "cannot cut to size");
  if (::fdatasync(fd_) != 0) return SystemError(errno, path_, "cannot write");
  // Clean pages by now: what went through the page cache leaves it.
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  return absl::OkStatus();
}

}  // namespace engram::bench
