// SPDX-License-Identifier: Apache-2.0
// An Engram table in memory that a keeper holds (engine/engram/keeper): filled once, by whichever
// server came first; mapped, in a moment, by all that come after it, also at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/keeper/keeper_client.h"
#include "engine/engram/keeper/sealed_memory.h"
#include "engine/engram/storage/ram_table.h"
#include "engine/engram/storage/table_in_file.h"

namespace engram {

class KeptTable final : public EngramTable {
 public:
  // Maps the keeper's segment if it has the table, after comparing it with the files; else reads
  // these, as RamTable::Load does, and leaves the memory with the keeper. Unavailable: no keeper
  // answers. DataLoss: what it holds is not what the file has.
  static absl::StatusOr<std::unique_ptr<KeptTable>> Open(const KeeperClient& keeper,
                                                         const TableInFile& table,
                                                         const RamTableOptions& options);
  // Whether the keeper has it. Errors as above.
  static absl::StatusOr<bool> IsKept(const KeeperClient& keeper, const TableInFile& table);

  std::int64_t rows() const override { return rows_; }
  const EngramRowFormat& format() const override { return format_; }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override;
  EngramTableStats stats() const override;

 private:
  KeptTable(SealedMapping mapping, std::size_t begin, const TableInFile& table);
  void LogPages(const char* how);

  // Constant after Open.
  SealedMapping mapping_;
  std::size_t begin_;  // of row 0 in it
  std::int64_t rows_;
  EngramRowFormat format_;
  PageCoverage coverage_;
};

}  // namespace engram
