// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/kept_table.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/storage/row_copies.h"
#include "engine/engram/storage/segment_identity.h"
#include "engine/engram/storage/table_check.h"
#include "engine/engram/storage/table_loader.h"

namespace engram {
namespace {

absl::StatusOr<Descriptor> Fill(const TableInFile& table, const TablePlace& place,
                                const RamTableOptions& options) {
  ASSIGN_OR_RETURN(
      UnsealedMemory memory,
      UnsealedMemory::Create(table.name, place.bytes, options.huge_pages != HugePages::kOff));
  RETURN_IF_ERROR(LoadTable(table, place, memory.bytes(), options.threads));
  if (options.huge_pages != HugePages::kOff) memory.Collapse();
  return UnsealedMemory::Seal(std::move(memory));
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeptTable>> KeptTable::Open(const KeeperClient& keeper,
                                                           const TableInFile& table,
                                                           const RamTableOptions& options) {
  const TablePlace place = PlaceOf(table);
  ASSIGN_OR_RETURN(const std::string identity, SegmentIdentity(table));
  ASSIGN_OR_RETURN(std::optional<Descriptor> segment, keeper.Get(identity));
  const bool found = segment.has_value();
  if (!found) {
    ASSIGN_OR_RETURN(segment, Fill(table, place, options));
  }
  ASSIGN_OR_RETURN(SealedMapping mapping, SealedMapping::Map(*segment, place.bytes));
  std::unique_ptr<KeptTable> kept(new KeptTable(std::move(mapping), place.begin, table));
  RETURN_IF_ERROR(CheckTable(*kept, table));
  if (!found) {
    const absl::Status left = keeper.Keep(identity, place.bytes, *segment);
    if (!left.ok()) LOG_WARNING("engram table {}: used, not kept: {}", table.name, Message(left));
  }
  kept->LogPages(found ? "found with the table keeper" : "read, and left with the table keeper");
  return kept;
}

absl::StatusOr<bool> KeptTable::IsKept(const KeeperClient& keeper, const TableInFile& table) {
  ASSIGN_OR_RETURN(const std::string identity, SegmentIdentity(table));
  ASSIGN_OR_RETURN(const std::optional<Descriptor> segment, keeper.Get(identity));
  return segment.has_value();
}

KeptTable::KeptTable(SealedMapping mapping, std::size_t begin, const TableInFile& table)
    : mapping_(std::move(mapping)), begin_(begin), rows_(table.rows), format_(table.format) {}

void KeptTable::LogPages(const char* how) {
  coverage_ = CoverageOf(mapping_.bytes());
  LOG_INFO("engram table: {} MiB in shared RAM, {}, {:.1f} % on huge pages",
           mapping_.bytes().size() >> 20, how, 100 * coverage_.huge_fraction());
}

absl::Status KeptTable::Gather(std::span<const RowCopy> copies, RowSink out) const {
  CheckRows(copies, rows_);
  CopyRows(mapping_.bytes().data() + begin_, format_.row_bytes(), copies, out);
  return absl::OkStatus();
}

EngramTableStats KeptTable::stats() const {
  EngramTableStats stats;
  stats.tier = "ram";
  stats.bytes = static_cast<std::uint64_t>(rows_) * format_.row_bytes();
  stats.huge_page_bytes = std::min(stats.bytes, static_cast<std::uint64_t>(coverage_.huge_bytes));
  return stats;
}

}  // namespace engram
