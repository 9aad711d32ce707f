// SPDX-License-Identifier: Apache-2.0
// A new file of known size, written past the page cache: 20 GB of table must not push everything
// else out of memory. Where the file system cannot do that (tmpfs, some network mounts), written
// through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::bench {

// What the drive wants: addresses, offsets and lengths are multiples of it.
inline constexpr std::size_t kDirectAlignment = 4096;

class DirectFile {
 public:
  // Makes `path` and reserves `bytes` for it. AlreadyExists if it is there; ResourceExhausted if
  // they do not fit. Errors name the path.
  static absl::StatusOr<DirectFile> Create(const std::string& path, std::int64_t bytes);

  DirectFile(DirectFile&& other) noexcept;
  DirectFile& operator=(DirectFile&&) = delete;
  ~DirectFile();

  // Writes at `offset`; several threads may, each its own part. REQUIRES: offset, data and its size
  // are multiples of kDirectAlignment; the end may lie beyond the file's, which Finish cuts off.
  absl::Status Write(std::int64_t offset, std::span<const std::byte> data) const;

  // Cuts the file to its size and waits until the drive has it. Call once, at the end.
  absl::Status Finish() const;

  // Whether writes go past the page cache.
  bool direct() const { return direct_; }

 private:
  DirectFile(std::string path, int fd, std::int64_t bytes, bool direct)
      : path_(std::move(path)), fd_(fd), bytes_(bytes), direct_(direct) {}

  std::string path_;
  int fd_;
  std::int64_t bytes_;
  bool direct_;
};

}  // namespace engram::bench
