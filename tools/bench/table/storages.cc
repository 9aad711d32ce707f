// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/storages.h"

#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "engine/engram/storage/table_storage.h"
#include "engine/runtime/memory_plan.h"

namespace engram::bench {
namespace {

constexpr int kReadersMax = 64;  // threads of a measurement that read from a drive at once

}  // namespace

std::vector<std::string> StorageNames() { return {"mmap", "ram", "nvme"}; }

RowsComeFrom SourceOf(const std::string& storage) {
  if (storage == "ram") return RowsComeFrom::kMemory;
  if (storage == "nvme") return RowsComeFrom::kDrive;
  CHECK_MSG(storage == "mmap", storage);
  return RowsComeFrom::kPageCache;
}

absl::StatusOr<OpenedTable> OpenTable(const std::string& storage, const std::string& directory,
                                      int layer_index, std::int64_t cache_bytes) {
  EngramStorageOptions options;
  for (const EngramPlacement placement :
       {EngramPlacement::kMapped, EngramPlacement::kRam, EngramPlacement::kNvme}) {
    if (PlacementName(placement) == storage) options.placement = placement;
  }
  CHECK_MSG(options.placement != EngramPlacement::kAuto, storage);
  options.cache_bytes = cache_bytes;
  OpenedTable opened;
  ASSIGN_OR_RETURN(opened.checkpoint, OpenGenerated(directory));
  const TableSource& source = opened.checkpoint.tables.at(layer_index).source;
  const auto begin = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const PlacementChoice choice,
                   PlaceTables(options, {&source, 1}, AvailableMemoryBytes()));
  ASSIGN_OR_RETURN(auto tables, OpenTables(options, choice, {&source, 1}, kReadersMax));
  opened.table = std::move(tables[0]);
  opened.open_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return opened;
}

}  // namespace engram::bench
