// SPDX-License-Identifier: Apache-2.0
// A few of a table's rows as its files have them: what can be looked at in a moment, however large
// the table is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "absl/status/status.h"
#include "engine/engram/storage/table_in_file.h"

namespace engram {

// Takes a row, values and scales side by side; an error ends the visit.
using RowVisitor = std::function<absl::Status(std::int64_t row, std::span<const std::byte> bytes)>;

// Visits the first, the last and about a thousand other rows, in ascending order, others for each
// `seed`. The first error, the visitor's or of a read, comes back.
absl::Status VisitSampledRows(const TableInFile& table, std::uint64_t seed,
                              const RowVisitor& visit);

}  // namespace engram
