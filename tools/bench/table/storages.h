// SPDX-License-Identifier: Apache-2.0
// The storages that can be measured, by the name that a user gives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engram/engram_table.h"
#include "tools/bench/checkpoint/generated_checkpoint.h"

namespace engram::bench {

struct OpenedTable {
  GeneratedCheckpoint checkpoint;  // what `table` may read from; outlives it
  std::unique_ptr<EngramTable> table;
  double open_seconds = 0;  // until the first row could be asked for
};

// {"mmap", "ram", "nvme"}
std::vector<std::string> StorageNames();

// Where a storage's rows are when nobody has fetched them yet, which decides how it is measured.
enum class RowsComeFrom {
  kMemory,     // its own: opening it reads the whole table; it is always warm
  kPageCache,  // so it matters what is in there
  kDrive,      // past the page cache
};
RowsComeFrom SourceOf(const std::string& storage);

// The `layer_index`-th table of a directory of make-checkpoint behind the named storage; of
// `cache_bytes` is its cache of rows, if it has one. ResourceExhausted if there is not the memory
// for it. REQUIRES: the name is one of StorageNames.
absl::StatusOr<OpenedTable> OpenTable(const std::string& storage, const std::string& directory,
                                      int layer_index, std::int64_t cache_bytes);

}  // namespace engram::bench
