// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/ram_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "engine/engram/storage/row_copies.h"
#include "engine/engram/storage/table_loader.h"

namespace engram {
namespace {

// Short of all, because the first and the last page may be shared with what is around the table.
constexpr double kCovered = 0.99;
constexpr std::size_t kHugePageBytes = 2 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<RamTable>> RamTable::Load(const TableInFile& table,
                                                         const RamTableOptions& options) {
  CHECK_GT(table.rows, 0);
  const TablePlace place = PlaceOf(table);
  ASSIGN_OR_RETURN(HugeMemory memory, HugeMemory::Allocate(place.bytes, options.huge_pages));
  RETURN_IF_ERROR(LoadTable(table, place, memory.bytes(), options.threads));
  std::unique_ptr<RamTable> ram(
      new RamTable(std::move(memory), place.begin, table.rows, table.format));
  RETURN_IF_ERROR(ram->SettlePages(options.huge_pages));
  return ram;
}

absl::StatusOr<std::unique_ptr<RamTable>> RamTable::Copy(std::span<const std::byte> bytes,
                                                         std::int64_t rows,
                                                         const EngramRowFormat& format,
                                                         const RamTableOptions& options) {
  CHECK_GT(rows, 0);
  CHECK_EQ(bytes.size(), static_cast<std::size_t>(rows) * format.row_bytes());
  ASSIGN_OR_RETURN(HugeMemory memory, HugeMemory::Allocate(bytes.size(), options.huge_pages));
  std::memcpy(memory.bytes().data(), bytes.data(), bytes.size());
  std::unique_ptr<RamTable> table(new RamTable(std::move(memory), 0, rows, format));
  RETURN_IF_ERROR(table->SettlePages(options.huge_pages));
  return table;
}

RamTable::RamTable(HugeMemory memory, std::size_t begin, std::int64_t rows,
                   const EngramRowFormat& format)
    : memory_(std::move(memory)), begin_(begin), rows_(rows), format_(format) {}

// What of the table lies on huge pages; asks for the rest, and says what has come of it.
absl::Status RamTable::SettlePages(HugePages wanted) {
  coverage_ = memory_.Coverage();
  if (wanted != HugePages::kOff && coverage_.huge_fraction() < kCovered) {
    memory_.Collapse();
    coverage_ = memory_.Coverage();
  }
  LOG_INFO("engram table: {} MiB in RAM, {:.1f} % on huge pages ({})",
           coverage_.resident_bytes >> 20, 100 * coverage_.huge_fraction(), memory_.description());
  const bool matters = memory_.bytes().size() >= kHugePageBytes;
  if (wanted == HugePages::kOff || !matters || coverage_.huge_fraction() >= kCovered) {
    return absl::OkStatus();
  }
  const std::string found = absl::StrCat(
      "only ", coverage_.huge_bytes >> 20, " of ", coverage_.resident_bytes >> 20,
      " MiB of an Engram table are on huge pages; reserve pages of 2 MiB "
      "(sysctl vm.nr_hugepages), or set /sys/kernel/mm/transparent_hugepage/enabled to "
      "madvise and free memory");
  if (wanted == HugePages::kRequire) return absl::ResourceExhaustedError(found);
  LOG_WARNING("{}: lookups will be slower", found);
  return absl::OkStatus();
}

absl::Status RamTable::Gather(std::span<const RowCopy> copies, RowSink out) const {
  CheckRows(copies, rows_);
  CopyRows(memory_.bytes().data() + begin_, format_.row_bytes(), copies, out);
  return absl::OkStatus();
}

EngramTableStats RamTable::stats() const {
  EngramTableStats stats;
  stats.tier = "ram";
  stats.bytes = table_bytes();
  stats.huge_page_bytes = std::min(stats.bytes, static_cast<std::uint64_t>(coverage_.huge_bytes));
  return stats;
}

}  // namespace engram
