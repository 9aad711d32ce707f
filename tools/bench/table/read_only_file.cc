// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/read_only_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace engram::bench {

absl::StatusOr<ReadOnlyFile> ReadOnlyFile::Open(const std::string& path, int flags) {
  ReadOnlyFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (file.fd_ < 0 && errno == EINVAL && (flags & O_DIRECT) != 0) {
    return absl::UnimplementedError(
        absl::StrCat(path, ": its file system takes no O_DIRECT, so the drive cannot be measured"));
  }
  struct stat info {};
  if (file.fd_ < 0 || ::fstat(file.fd_, &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot open"));
  }
  file.bytes_ = info.st_size;
  return file;
}

ReadOnlyFile::~ReadOnlyFile() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace engram::bench
