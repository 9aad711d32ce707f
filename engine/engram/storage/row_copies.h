// SPDX-License-Identifier: Apache-2.0
// What every storage does alike: check row ids, and copy rows that lie in memory one after the
// other, fast.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/engram/engram_table.h"

namespace engram {

// Ends the process unless every row is in [0, rows).
void CheckRows(std::span<const RowCopy> copies, std::int64_t rows);
void CheckRows(std::span<const std::int64_t> wanted, std::int64_t rows);

// Copies rows of `row_bytes` from `table`, where they lie side by side. Cache lines of coming rows
// are asked for ahead of their copy, so that several misses are under way at once. REQUIRES: the
// rows have been checked.
void CopyRows(const std::byte* table, std::size_t row_bytes, std::span<const RowCopy> copies,
              RowSink out);

}  // namespace engram
