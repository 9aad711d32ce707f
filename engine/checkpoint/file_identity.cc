// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/file_identity.h"

#include <sys/stat.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace engram {

absl::StatusOr<FileIdentity> IdentityOf(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot stat"));
  return FileIdentity{
      .device = info.st_dev,
      .inode = info.st_ino,
      .bytes = info.st_size,
      .modified_ns = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

absl::Status CheckSameFile(const std::string& path, const FileIdentity& before,
                           const FileIdentity& now) {
  if (now == before) return absl::OkStatus();
  std::string what = "was written to";
  if (now.device != before.device || now.inode != before.inode) {
    what = "was replaced by another file";
  } else if (now.bytes < before.bytes) {
    what = absl::StrCat("was cut from ", before.bytes, " to ", now.bytes, " bytes");
  } else if (now.bytes > before.bytes) {
    what = absl::StrCat("has grown from ", before.bytes, " to ", now.bytes, " bytes");
  }
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": the file ", what,
                   " after it had been opened; its rows can no longer be trusted: put the file in "
                   "order and start the server again"));
}

}  // namespace engram
