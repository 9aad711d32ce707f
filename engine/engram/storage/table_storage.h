// SPDX-License-Identifier: Apache-2.0
// A checkpoint's Engram tables, put where the options and the machine say.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/storage/placement.h"
#include "engine/options.h"

namespace engram {

// Where a tensor is.
struct TableRegion {
  std::span<const std::byte> bytes{};  // mapped; outlives the table
  std::optional<TensorPlace> place{};  // the same bytes in their file; absent: dummy weights
};
// Of nothing, if there is no tensor.
TableRegion RegionOf(const TensorInfo* tensor);

// A table as the checkpoint has it.
struct TableSource {
  std::int64_t rows = 0;
  EngramRowFormat format;
  TableRegion values;               // [rows, format.value_bytes()]
  TableRegion scales{};             // [rows, format.scale_bytes()]; empty if the format has none
  std::string name{};               // of the tensor of values
  std::uint64_t hash_checksum = 0;  // LayoutChecksum: what its rows mean
};

// Looks at the files and chooses. `available_bytes`: memory that nothing else needs, 0 if unknown.
absl::StatusOr<PlacementChoice> PlaceTables(const EngramStorageOptions& options,
                                            std::span<const TableSource> sources,
                                            std::int64_t available_bytes);

// One per source, same order. `readers`: threads that may gather at the same time. May take as long
// as reading all the tables takes; errors name file and offset, or the setting.
absl::StatusOr<std::vector<std::unique_ptr<EngramTable>>> OpenTables(
    const EngramStorageOptions& options, const PlacementChoice& choice,
    std::span<const TableSource> sources, int readers);

// The table read where the checkpoint has mapped it: the placement "mmap".
std::unique_ptr<EngramTable> MapTable(const TableSource& source);

}  // namespace engram
