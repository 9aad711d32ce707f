// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/table_storage.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/keeper/keeper_client.h"
#include "engine/engram/storage/huge_page_pools.h"
#include "engine/engram/storage/kept_table.h"
#include "engine/engram/storage/mapped_table.h"
#include "engine/engram/storage/nvme_table.h"
#include "engine/engram/storage/ram_table.h"
#include "engine/engram/storage/side_by_side_table.h"
#include "engine/engram/storage/table_check.h"
#include "engine/engram/storage/table_file.h"
#include "engine/engram/storage/table_in_file.h"
#include "engine/engram/storage/table_loader.h"

namespace engram {
namespace {

// Where the options leave it open.
constexpr int kLoadThreads = 4;   // keep a drive's sequential rate
constexpr int kReadThreads = 32;  // each waits for one read

std::int64_t SizeOf(std::span<const TableSource> sources) {
  std::int64_t bytes = 0;
  for (const TableSource& source : sources) {
    bytes += source.rows * static_cast<std::int64_t>(source.format.row_bytes());
  }
  return bytes;
}

std::int64_t ScalesOf(std::span<const TableSource> sources) {
  std::int64_t bytes = 0;
  for (const TableSource& source : sources) {
    bytes += source.rows * static_cast<std::int64_t>(source.format.scale_bytes());
  }
  return bytes;
}

// A source's files, open, and the table in them.
struct OpenSource {
  std::unique_ptr<TableFile> values;
  std::unique_ptr<TableFile> scales;  // null if there are none
  TableInFile table;
};

// REQUIRES: the source is in files.
absl::StatusOr<OpenSource> OpenFiles(const TableSource& source) {
  OpenSource open;
  ASSIGN_OR_RETURN(open.values, TableFile::Open(*source.values.place));
  const EngramRowFormat& format = source.format;
  open.table = {.name = source.name,
                .hash_checksum = source.hash_checksum,
                .rows = source.rows,
                .format = format,
                .values = {.file = open.values.get(),
                           .offset = source.values.place->offset,
                           .row_bytes = format.value_bytes()},
                .scales = {}};
  if (format.scaled()) {
    ASSIGN_OR_RETURN(open.scales, TableFile::Open(*source.scales.place));
    open.table.scales = {.file = open.scales.get(),
                         .offset = source.scales.place->offset,
                         .row_bytes = format.scale_bytes()};
  }
  return open;
}

bool IsKept(const EngramStorageOptions& options, const TableInFile& table) {
  if (options.keeper.empty()) return false;
  const auto kept = KeptTable::IsKept(KeeperClient(options.keeper), table);
  return kept.ok() && *kept;
}

// Where tables would lie that went into RAM.
struct RamShares {
  std::int64_t kept_bytes = 0;    // with a keeper already
  std::int64_t pooled_bytes = 0;  // on reserved huge pages
};

RamShares SharesOf(const EngramStorageOptions& options, std::span<const TableSource> sources) {
  std::vector<HugePagePool> pools;
  if (options.huge_pages != HugePages::kOff) {
    pools = FreeHugePages(options.keeper.empty() ? kHugePage1G : kHugePage2M);
  }
  RamShares shares;
  for (const TableSource& source : sources) {
    if (!source.values.place.has_value()) continue;
    const auto open = OpenFiles(source);
    if (!open.ok()) continue;  // whoever opens it to load says so
    const std::int64_t bytes = SizeOf({&source, 1});
    if (IsKept(options, open->table)) {
      shares.kept_bytes += bytes;
    } else if (TakeHugePages(PlaceOf(open->table).bytes, &pools) > 0) {
      shares.pooled_bytes += bytes;
    }
  }
  return shares;
}

RamTableOptions RamOptions(const EngramStorageOptions& options) {
  return {.huge_pages = options.huge_pages,
          .threads = options.threads > 0 ? options.threads : kLoadThreads};
}

absl::StatusOr<std::unique_ptr<EngramTable>> OpenRam(const EngramStorageOptions& options,
                                                     const TableSource& source) {
  const RamTableOptions ram = RamOptions(options);
  if (!source.values.place.has_value()) {
    return RamTable::Copy(source.values.bytes, source.rows, source.format, ram);
  }
  ASSIGN_OR_RETURN(const OpenSource open, OpenFiles(source));
  if (!options.keeper.empty()) {
    auto kept = KeptTable::Open(KeeperClient(options.keeper), open.table, ram);
    if (kept.ok()) return kept;
    LOG_WARNING("{}; this server reads a copy of its own", Message(kept.status()));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<EngramTable> loaded, RamTable::Load(open.table, ram));
  RETURN_IF_ERROR(CheckTable(*loaded, open.table));
  return loaded;
}

// Of a scaled table the scales, a few percent of it, are read into memory, so that a row is one
// read of the drive and not two.
absl::StatusOr<std::unique_ptr<EngramTable>> OpenNvme(const EngramStorageOptions& options,
                                                      const TableSource& source, int readers,
                                                      std::int64_t cache_bytes) {
  CHECK(source.values.place.has_value());
  ASSIGN_OR_RETURN(OpenSource open, OpenFiles(source));
  const std::uint64_t offset = open.table.values.offset;
  ASSIGN_OR_RETURN(
      std::unique_ptr<EngramTable> values,
      NvmeTable::Open(std::move(open.values), offset, source.rows, source.format.ValuesAlone(),
                      {.readers = readers,
                       .queue_depth = options.queue_depth,
                       .threads = options.threads > 0 ? options.threads : kReadThreads,
                       .cache_bytes = static_cast<std::size_t>(cache_bytes)}));
  if (!source.format.scaled()) {
    RETURN_IF_ERROR(CheckTable(*values, open.table));
    return values;
  }
  LOG_INFO("engram table: its values stay on the drive, its scales are read into memory");
  ASSIGN_OR_RETURN(std::unique_ptr<EngramTable> scales,
                   RamTable::Load(open.table.ScalesAlone(), RamOptions(options)));
  auto table =
      std::make_unique<SideBySideTable>(source.format, std::move(values), std::move(scales));
  RETURN_IF_ERROR(CheckTable(*table, open.table));
  return table;
}

}  // namespace

TableRegion RegionOf(const TensorInfo* tensor) {
  if (tensor == nullptr) return {};
  return {.bytes = tensor->bytes, .place = tensor->place};
}

absl::StatusOr<PlacementChoice> PlaceTables(const EngramStorageOptions& options,
                                            std::span<const TableSource> sources,
                                            std::int64_t available_bytes) {
  const RamShares shares = SharesOf(options, sources);
  PlacementFacts facts = {.tables_bytes = SizeOf(sources),
                          .scales_bytes = ScalesOf(sources),
                          .kept_bytes = shares.kept_bytes,
                          .pooled_bytes = shares.pooled_bytes,
                          .available_bytes = available_bytes,
                          .in_files = true,
                          .direct_io = true,
                          .files_in_memory = true};
  for (const TableSource& source : sources) {
    facts.in_files = facts.in_files && source.values.place.has_value();
    if (!source.values.place.has_value()) continue;
    ASSIGN_OR_RETURN(const OpenSource open, OpenFiles(source));
    facts.direct_io = facts.direct_io && open.values->direct();
    facts.files_in_memory = facts.files_in_memory && open.values->in_memory();
  }
  ASSIGN_OR_RETURN(PlacementChoice choice, ChoosePlacement(options, facts));
  LOG_INFO("engram tables: {} ({})", PlacementName(choice.placement), choice.reason);
  return choice;
}

absl::StatusOr<std::vector<std::unique_ptr<EngramTable>>> OpenTables(
    const EngramStorageOptions& options, const PlacementChoice& choice,
    std::span<const TableSource> sources, int readers) {
  std::vector<std::unique_ptr<EngramTable>> tables;
  for (const TableSource& source : sources) {
    std::unique_ptr<EngramTable> table;
    switch (choice.placement) {
      case EngramPlacement::kRam: {
        ASSIGN_OR_RETURN(table, OpenRam(options, source));
        break;
      }
      case EngramPlacement::kNvme: {
        const auto share = static_cast<std::int64_t>(sources.size());
        ASSIGN_OR_RETURN(table, OpenNvme(options, source, readers, choice.cache_bytes / share));
        break;
      }
      default:
        table = MapTable(source);
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

std::unique_ptr<EngramTable> MapTable(const TableSource& source) {
  const EngramRowFormat& format = source.format;
  auto values =
      std::make_unique<MappedTable>(source.values.bytes, source.rows, format.ValuesAlone());
  if (!format.scaled()) return values;
  auto scales =
      std::make_unique<MappedTable>(source.scales.bytes, source.rows, format.ScalesAlone());
  return std::make_unique<SideBySideTable>(format, std::move(values), std::move(scales));
}

}  // namespace engram
