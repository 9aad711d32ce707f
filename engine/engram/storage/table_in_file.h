// SPDX-License-Identifier: Apache-2.0
// A table as its checkpoint's files have it: values and, if they are quantized, scales elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/engram/storage/table_file.h"
#include "kernels/row_format.h"

namespace engram {

struct TableInFile {
  std::string name;                 // of the tensor of values
  std::uint64_t hash_checksum = 0;  // of primes and multipliers: which row an n-gram has
  std::int64_t rows = 0;
  EngramRowFormat format;
  RowFile values;  // [rows, format.value_bytes()]
  RowFile scales;  // [rows, format.scale_bytes()]; without a file if the format has none

  std::size_t bytes() const { return static_cast<std::size_t>(rows) * format.row_bytes(); }

  // The tensor of scales as a table of its own.
  TableInFile ScalesAlone() const {
    return {.name = name,
            .hash_checksum = hash_checksum,
            .rows = rows,
            .format = format.ScalesAlone(),
            .values = scales,
            .scales = {}};
  }
};

}  // namespace engram
