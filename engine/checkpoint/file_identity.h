// SPDX-License-Identifier: Apache-2.0
// Which file it was: what stays the same for as long as nobody replaces it, cuts it or writes to
// it. Offsets into a checkpoint's file mean nothing in another one.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace engram {

struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;  // since 1970

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// Of an open file. `path` is for the error.
absl::StatusOr<FileIdentity> IdentityOf(int fd, const std::string& path);

// OK if `now` is `before`; else FailedPrecondition, which names `path`, says what has changed and
// what to do.
absl::Status CheckSameFile(const std::string& path, const FileIdentity& before,
                           const FileIdentity& now);

}  // namespace engram
