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
// never zero, so that a row that nobody wrote cannot pass for one. In f8_e4m3 and i8 the byte is
// the value, but for zeros and NaN, and scale s comes from byte s mod 8 of word 2^40 + ⌊s / 8⌋: an
// e8m0 of 2^−16 to 2^−13, an f32 of (byte + 1) / 2^19. Their products are as small.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/row_format.h"

namespace engram::bench {

// How a row of `head_dim` values of this dtype is made: f32, bf16 and f16 have no scales, f8_e4m3
// one (e8m0) for 32 values, i8 one (f32) for the row.
EngramRowFormat MadeFormat(DType dtype, int head_dim);
bool CanMakeRows(const EngramRowFormat& format);

// Immutable, thread-safe.
class RowContent {
 public:
  // REQUIRES: CanMakeRows(format), head_dim > 0.
  RowContent(std::uint64_t seed, int layer_id, const EngramRowFormat& format);

  const EngramRowFormat& format() const { return format_; }
  std::size_t row_bytes() const { return format_.row_bytes(); }

  // Writes bytes [offset, offset + bytes) of the tensor of values, or of that of scales; they may
  // begin and end within rows. REQUIRES: offset and bytes are whole elements.
  void FillValues(std::int64_t offset, std::size_t bytes, std::byte* out) const;
  void FillScales(std::int64_t offset, std::size_t bytes, std::byte* out) const;

  // Whether `found`, row_bytes() of them, is that row.
  bool IsRow(std::int64_t row, const std::byte* found) const;

 private:
  // One of the two tensors: what a row has of it, and from which words.
  struct Part {
    DType dtype;
    int count;  // elements of a row
    std::uint64_t first_word;
    std::array<std::uint32_t, 256> bits;  // of each byte's element
  };

  // Elements [first, first + count) of a row.
  void FillRow(const Part& part, std::int64_t row, int first, int count, std::byte* out) const;
  void Fill(const Part& part, std::int64_t offset, std::size_t bytes, std::byte* out) const;
  bool IsPart(const Part& part, std::int64_t row, const std::byte* found) const;

  std::uint64_t layer_key_;
  EngramRowFormat format_;
  Part values_;
  Part scales_;
};

}  // namespace engram::bench
