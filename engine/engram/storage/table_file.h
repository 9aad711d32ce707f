// SPDX-License-Identifier: Apache-2.0
// The file of a checkpoint that holds a table, opened a second time to be read past the page cache
// (O_DIRECT): what is read once into RAM, or kept in a cache of our own, need not push weights out
// of the system's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "base/descriptor.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/engram/storage/file_reader.h"

namespace engram {

class TableFile final : public FileReader {
 public:
  // Opens the file at place.path, which must be the one that was mapped: FailedPrecondition if it
  // has been replaced since.
  static absl::StatusOr<std::unique_ptr<TableFile>> Open(const TensorPlace& place);

  // REQUIRES: if direct(), offset, size and address are multiples of alignment().
  std::int64_t ReadAt(std::uint64_t offset, std::span<std::byte> to) const override;

  // False where the file system has no O_DIRECT; reads go through the page cache then.
  bool direct() const { return direct_; }
  // Of offsets, sizes and addresses: a power of two, 512 to 4096.
  std::size_t alignment() const { return alignment_; }
  // The file lies in memory (tmpfs): nothing is faster than to map it.
  bool in_memory() const { return in_memory_; }
  const std::string& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }
  int fd() const { return file_.get(); }

  // FailedPrecondition if somebody has cut the file or written to it since it was opened. One
  // fstat.
  absl::Status CheckUnchanged() const;

 private:
  TableFile(Descriptor file, const TensorPlace& place, bool direct);

  // Constant after construction.
  Descriptor file_;
  std::string path_;
  FileIdentity identity_;
  bool direct_;
  bool in_memory_ = false;
  std::size_t alignment_ = 4096;
};

// Where rows lie in a file, one after the other.
struct RowFile {
  const TableFile* file = nullptr;
  std::uint64_t offset = 0;  // of row 0
  std::size_t row_bytes = 0;
};

}  // namespace engram
