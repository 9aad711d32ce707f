// SPDX-License-Identifier: Apache-2.0
// What stands in the rows of a generated Engram table: a function of (seed, layer, row id) alone.
// So a table of any size needs no reference file, and whoever has fetched a row can tell whether it
// is the right one.
//
//   M(x)      = mix of 64 bits (SplitMix64's finaliser), g = 0x9e3779b97f4a7c15
//   layer key = M(M(seed + g) + (layer id + 1) · g)
//   row key   = M(layer key + (row id + 1) · g)
//   word w    = M(row key + (w + 1) · g)
//   value     = (2 · byte − 255) / 4096, value v from byte v mod 8 (lowest first) of word ⌊v / 8⌋
//
// Values are odd integers / 4096 in ±0.0623, deviation 0.036: exact in f32, bf16 and f16 alike, and
// never zero, so that a row that nobody wrote cannot pass for one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"

namespace engram::bench {

// f32, bf16 and f16.
bool CanMakeRows(DType dtype);

// Immutable, thread-safe.
class RowContent {
 public:
  // REQUIRES: CanMakeRows(dtype), head_dim > 0.
  RowContent(std::uint64_t seed, int layer_id, int head_dim, DType dtype);

  std::size_t row_bytes() const { return row_bytes_; }

  // Writes bytes [offset, offset + bytes) of the table, which may begin and end within rows.
  // REQUIRES: offset and bytes are whole elements; `out` is aligned to them.
  void Fill(std::int64_t offset, std::size_t bytes, std::byte* out) const;

  // Whether `found`, row_bytes() of them, is that row.
  bool IsRow(std::int64_t row, const std::byte* found) const;

 private:
  // Values [first, first + count) of a row.
  void FillValues(std::int64_t row, int first, int count, std::byte* out) const;

  std::uint64_t layer_key_;
  int head_dim_;
  DType dtype_;
  std::size_t row_bytes_;
  std::array<std::uint32_t, 256> values_;  // bits of each byte's value in dtype_
};

}  // namespace engram::bench
