// SPDX-License-Identifier: Apache-2.0
// An Engram table in memory of its own, on huge pages, filled once by direct reads. Where it fits,
// nothing is faster: no file is touched after the start, and a row is a few cache misses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/storage/huge_memory.h"
#include "engine/engram/storage/table_in_file.h"

namespace engram {

struct RamTableOptions {
  HugePages huge_pages = HugePages::kAuto;
  int threads = 4;  // that load
};

class RamTable final : public EngramTable {
 public:
  // Reads the table from its files, and checks that nobody wrote to them meanwhile. Logs which
  // pages it got: what the kernel says, not what it was asked for. ResourceExhausted if there is no
  // memory, or, with HugePages::kRequire, not enough of it on huge pages.
  static absl::StatusOr<std::unique_ptr<RamTable>> Load(const TableInFile& table,
                                                        const RamTableOptions& options);
  // From bytes that are in memory already: [rows, format].
  static absl::StatusOr<std::unique_ptr<RamTable>> Copy(std::span<const std::byte> bytes,
                                                        std::int64_t rows,
                                                        const EngramRowFormat& format,
                                                        const RamTableOptions& options);

  std::int64_t rows() const override { return rows_; }
  const EngramRowFormat& format() const override { return format_; }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override;
  EngramTableStats stats() const override;

 private:
  RamTable(HugeMemory memory, std::size_t begin, std::int64_t rows, const EngramRowFormat& format);
  absl::Status SettlePages(HugePages wanted);
  std::size_t table_bytes() const { return static_cast<std::size_t>(rows_) * format_.row_bytes(); }

  // Constant after Load.
  HugeMemory memory_;
  std::size_t begin_;  // of row 0 in it: TablePlace
  std::int64_t rows_;
  EngramRowFormat format_;
  PageCoverage coverage_;
};

}  // namespace engram
