// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/table_storage.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/keeper/keeper_client.h"
#include "engine/engram/storage/kept_table.h"
#include "engine/engram/storage/mapped_table.h"
#include "engine/engram/storage/nvme_table.h"
#include "engine/engram/storage/ram_table.h"
#include "engine/engram/storage/table_file.h"

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

TableInFile InFile(const TableSource& source) {
  return {.name = source.name,
          .hash_checksum = source.hash_checksum,
          .offset = source.place->offset,
          .rows = source.rows,
          .format = source.format};
}

// What of the tables a keeper holds.
std::int64_t KeptBytes(const EngramStorageOptions& options, std::span<const TableSource> sources) {
  if (options.keeper.empty()) return 0;
  const KeeperClient keeper(options.keeper);
  std::int64_t bytes = 0;
  for (const TableSource& source : sources) {
    if (!source.place.has_value()) continue;
    const auto file = TableFile::Open(*source.place);
    if (!file.ok()) continue;  // whoever opens it to load says so
    const auto kept = KeptTable::IsKept(keeper, **file, InFile(source));
    if (kept.ok() && *kept) bytes += SizeOf({&source, 1});
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<EngramTable>> OpenRam(const EngramStorageOptions& options,
                                                     const TableSource& source) {
  const RamTableOptions ram = {.huge_pages = options.huge_pages,
                               .threads = options.threads > 0 ? options.threads : kLoadThreads};
  if (!source.place.has_value()) {
    return RamTable::Copy(source.bytes, source.rows, source.format, ram);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<TableFile> file, TableFile::Open(*source.place));
  if (!options.keeper.empty()) {
    auto kept = KeptTable::Open(KeeperClient(options.keeper), *file, InFile(source), ram);
    if (kept.ok()) return kept;
    LOG_WARNING("{}; this server reads a copy of its own", Message(kept.status()));
  }
  return RamTable::Load(*file, source.place->offset, source.rows, source.format, ram);
}

absl::StatusOr<std::unique_ptr<EngramTable>> OpenNvme(const EngramStorageOptions& options,
                                                      const TableSource& source, int readers,
                                                      std::int64_t cache_bytes) {
  CHECK(source.place.has_value());
  ASSIGN_OR_RETURN(std::unique_ptr<TableFile> file, TableFile::Open(*source.place));
  return NvmeTable::Open(std::move(file), source.place->offset, source.rows, source.format,
                         {.readers = readers,
                          .queue_depth = options.queue_depth,
                          .threads = options.threads > 0 ? options.threads : kReadThreads,
                          .cache_bytes = static_cast<std::size_t>(cache_bytes)});
}

}  // namespace

absl::StatusOr<PlacementChoice> PlaceTables(const EngramStorageOptions& options,
                                            std::span<const TableSource> sources,
                                            std::int64_t available_bytes) {
  PlacementFacts facts = {.tables_bytes = SizeOf(sources),
                          .kept_bytes = KeptBytes(options, sources),
                          .available_bytes = available_bytes,
                          .in_files = true,
                          .direct_io = true,
                          .files_in_memory = true};
  for (const TableSource& source : sources) {
    facts.in_files = facts.in_files && source.place.has_value();
    if (!source.place.has_value()) continue;
    ASSIGN_OR_RETURN(const std::unique_ptr<TableFile> file, TableFile::Open(*source.place));
    facts.direct_io = facts.direct_io && file->direct();
    facts.files_in_memory = facts.files_in_memory && file->in_memory();
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
        table = std::make_unique<MappedTable>(source.bytes, source.rows, source.format);
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace engram
