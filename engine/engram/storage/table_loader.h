// SPDX-License-Identifier: Apache-2.0
// Reads a table into memory as fast as the drive gives it: several threads, large aligned reads.
// Rows that are one tensor go straight to where they stay. Rows of values and scales are put
// together on the way, so that a lookup later touches one place and not two.
#pragma once

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "engine/engram/storage/file_part.h"
#include "engine/engram/storage/table_in_file.h"

namespace engram {

// ReadPart by `threads` (> 0) threads, logged as RunLoad.
absl::Status LoadFromFile(const FilePart& part, int threads);

// How a table lies in memory that it is loaded into. One tensor: as far past a block's beginning as
// in the file, so that whole blocks go straight to where they stay, and the few bytes around it
// come along. Two: packed from the memory's beginning on.
struct TablePlace {
  std::size_t begin = 0;   // of row 0
  std::size_t needed = 0;  // bytes up to the last row's end
  std::size_t bytes = 0;   // of memory
};
TablePlace PlaceOf(const TableInFile& table);

// Reads the table into memory [place.bytes], which begins at a page, and checks that nobody wrote
// to the files meanwhile. As LoadFromFile.
absl::Status LoadTable(const TableInFile& table, const TablePlace& place,
                       std::span<std::byte> memory, int threads);

}  // namespace engram
