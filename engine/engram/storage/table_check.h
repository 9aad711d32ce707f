// SPDX-License-Identifier: Apache-2.0
// Whether an opened table gives the rows that its files have: asked of every table that is loaded,
// found with a keeper or read from a drive, before the first token depends on it.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/storage/table_in_file.h"

namespace engram {

// Gathers the rows of VisitSampledRows and compares them with the files, read anew; others at each
// call. DataLoss names the first row that differs. May take as long as a thousand reads of the
// drive one after the other.
absl::Status CheckTable(const EngramTable& table, const TableInFile& in_file);

}  // namespace engram
