// SPDX-License-Identifier: Apache-2.0
// A whole file as read-only memory. The one place that knows mmap: weights and tables are used
// where they lie on disk, pages come in when touched and the system may drop them again.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "engine/checkpoint/file_identity.h"
#include "engine/checkpoint/mapping_fault.h"

namespace engram {

// Movable. The file must not be shortened while mapped: touching what is gone ends the process
// (mapping_fault.h).
class MappedFile {
 public:
  // Maps `path`, which must be a regular file (or a link to one) of at least one byte. NotFound,
  // PermissionDenied, FailedPrecondition (no regular file, empty) or Internal; all name the path.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // Page-aligned; valid as long as this object or the one it was moved to.
  std::span<const std::byte> bytes() const { return bytes_; }
  // As of when it was mapped.
  const FileIdentity& identity() const { return identity_; }

 private:
  MappedFile(std::span<const std::byte> bytes, const FileIdentity& identity, KnownMapping known)
      : bytes_(bytes), identity_(identity), known_(std::move(known)) {}

  std::span<const std::byte> bytes_;
  FileIdentity identity_;
  KnownMapping known_;
};

// How a part of a mapped file will be read.
enum class AccessPattern {
  kNormal,
  kRandom,      // no read-ahead: single rows of a big table
  kSequential,  // read far ahead: weights while they are copied
  kWillNeed,    // start reading now
};

// Tells the system about `bytes`, any part of a mapping. Only advice: nothing fails, nothing else
// changes.
void AdviseAccess(std::span<const std::byte> bytes, AccessPattern pattern);

}  // namespace engram
