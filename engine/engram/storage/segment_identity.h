// SPDX-License-Identifier: Apache-2.0
// Under which name a table is kept: everything that two tables must have in common for one to stand
// in for the other. A table of other weights, another shape or another hash has another name and is
// not found; and who finds one compares it with the file before using it (table_check.h).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "engine/engram/storage/table_in_file.h"

namespace engram {

// Lines: tensor, shape, format, hash checksum, for values and scales the place in the file, the
// file's size and time, and a checksum of the table's first, last and about a thousand other rows.
// Reads these from the files.
absl::StatusOr<std::string> SegmentIdentity(const TableInFile& table);

}  // namespace engram
