// SPDX-License-Identifier: Apache-2.0
// The file that says of a checkpoint directory that its tables' rows are RowContent's, and of which
// seed. Servers do not read it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::bench {

inline constexpr char kTableMarkFile[] = "generated_tables.json";

struct TableMark {
  std::uint64_t seed = 0;
};

absl::Status WriteTableMark(const std::string& directory, const TableMark& mark);

// NotFound if the directory has none: it was not made by make-checkpoint. InvalidArgument if its
// rows are of another formula than this build's.
absl::StatusOr<TableMark> ReadTableMark(const std::string& directory);

}  // namespace engram::bench
