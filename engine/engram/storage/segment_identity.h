// SPDX-License-Identifier: Apache-2.0
// Under which name a table is kept: everything that two tables must have in common for one to stand
// in for the other. A table of other weights, another shape or another hash has another name and is
// not found; and who finds one compares it with the file before using it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "engine/engram/storage/table_file.h"
#include "kernels/row_format.h"

namespace engram {

// A table in its checkpoint's file.
struct TableInFile {
  std::string name;                 // of the tensor
  std::uint64_t hash_checksum = 0;  // of primes and multipliers: which row an n-gram has
  std::uint64_t offset = 0;         // of row 0 in the file
  std::int64_t rows = 0;
  EngramRowFormat format;
};

// Lines: tensor, shape, format, hash checksum, place in the file, the file's size and time, and a
// checksum of the table's first, last and about a thousand other rows. Reads these from the file.
absl::StatusOr<std::string> SegmentIdentity(const TableFile& file, const TableInFile& table);

// Compares about a thousand rows of `segment`, [rows, format], with the file, others for each
// `seed`. DataLoss names the first row that differs.
absl::Status CompareWithFile(const TableFile& file, const TableInFile& table,
                             std::span<const std::byte> segment, std::uint64_t seed);

}  // namespace engram
