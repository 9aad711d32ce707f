// SPDX-License-Identifier: Apache-2.0
// Reads random rows of a generated checkpoint's tables and holds them against the formula.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::bench {

struct CheckedTable {
  int layer_id = 0;
  std::int64_t rows = 0;     // of the table
  std::int64_t checked = 0;  // of these, different or not
};

// `rows` random rows of each table, picked by `pick_seed`; all of them, once each, if the table has
// no more. DataLoss names layer, row and place of the first wrong row; other errors are those of
// opening the directory.
absl::StatusOr<std::vector<CheckedTable>> CheckTables(const std::string& directory,
                                                      std::int64_t rows, std::uint64_t pick_seed);

}  // namespace engram::bench
