// SPDX-License-Identifier: Apache-2.0
// An Engram table read where the checkpoint has mapped it: nothing is copied at load, a row's page
// comes from the page cache, or from the disk at first touch. The simplest storage behind
// EngramTable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/engram/engram_table.h"

namespace engram {

class MappedTable final : public EngramTable {
 public:
  // `bytes`: [rows, format], borrowed. Advises the kernel that its pages will be read at random.
  // REQUIRES: bytes.size() == rows · format.row_bytes().
  MappedTable(std::span<const std::byte> bytes, std::int64_t rows, const EngramRowFormat& format);

  std::int64_t rows() const override { return rows_; }
  const EngramRowFormat& format() const override { return format_; }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override;
  // Has the kernel start to read the rows' pages; does not wait for them.
  void Prefetch(std::span<const std::int64_t> rows) const override;
  EngramTableStats stats() const override { return {.tier = "mmap", .bytes = bytes_.size()}; }
  bool takes_hints() const override { return true; }

 private:
  // Constant after construction.
  std::span<const std::byte> bytes_;
  std::int64_t rows_;
  EngramRowFormat format_;
};

}  // namespace engram
