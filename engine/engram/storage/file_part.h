// SPDX-License-Identifier: Apache-2.0
// Reads a part of a file completely, or says why not: short and interrupted reads are tried again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "engine/engram/storage/file_reader.h"
#include "engine/engram/storage/table_file.h"

namespace engram {

struct FilePart {
  const FileReader* file = nullptr;
  std::string path;             // for messages and the log
  std::uint64_t offset = 0;     // of memory[0] in the file
  std::uint64_t needed = 0;     // bytes that must come; the file may end after them
  std::span<std::byte> memory;  // ≥ needed
};

// An error names path and offset. REQUIRES: offset, address and size of `memory` are multiples of
// what direct reads of the file ask for.
absl::Status ReadPart(const FilePart& part);

// Reads rows [first, first + count) to somewhere in `buffer`, which has room for them and two
// blocks of direct reads; `rows` is where they came to lie.
absl::Status ReadRows(const RowFile& file, std::int64_t first, std::int64_t count,
                      std::span<std::byte> buffer, std::span<const std::byte>* rows);

}  // namespace engram
