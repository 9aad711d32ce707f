// SPDX-License-Identifier: Apache-2.0
// Reads a large part of a file into memory as fast as the drive gives it: several threads, large
// aligned reads, straight to where the bytes stay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "engine/engram/storage/file_reader.h"
#include "engine/engram/storage/table_file.h"

namespace engram {

struct LoadPart {
  const FileReader* file = nullptr;
  std::string path;             // for messages and the log
  std::uint64_t offset = 0;     // of memory[0] in the file
  std::uint64_t needed = 0;     // bytes that must come; the file may end after them
  std::span<std::byte> memory;  // ≥ needed
};

// REQUIRES: offset, address and size of `memory` are multiples of what direct reads of the file ask
// for; threads > 0. The first error ends the load: it names path and offset. Logs how far it is,
// every few seconds, and at the end how fast it was.
absl::Status LoadFromFile(const LoadPart& part, int threads);

// How a table lies in memory that is filled by direct reads: as far past a block's beginning as in
// the file, so that whole blocks go straight to where they stay, and the few bytes around it come
// along.
struct TablePlace {
  std::size_t begin = 0;   // of row 0
  std::size_t needed = 0;  // bytes up to the last row's end
  std::size_t bytes = 0;   // of memory: whole blocks
};
TablePlace PlaceOf(const TableFile& file, std::uint64_t offset, std::size_t table_bytes);

// Reads the table at `offset` into memory [place.bytes], and checks that nobody wrote to the file
// meanwhile. As LoadFromFile.
absl::Status LoadTable(const TableFile& file, std::uint64_t offset, const TablePlace& place,
                       std::span<std::byte> memory, int threads);

}  // namespace engram
