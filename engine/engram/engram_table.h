// SPDX-License-Identifier: Apache-2.0
// Rows by id: the seam behind which an Engram table may lie in RAM, in a mapped file, on NVMe. Every
// storage gives the same bytes; only when they arrive differs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/dtype.h"

namespace engram {

// Thread-safe: Gather may run on several threads at once.
class EngramTable {
 public:
  virtual ~EngramTable() = default;
  virtual std::int64_t rows() const = 0;
  virtual int head_dim() const = 0;  // values per row
  virtual DType dtype() const = 0;
  std::size_t row_bytes() const { return head_dim() * DTypeBytes(dtype()); }

  // Copies row ids[i] to out + i · row_bytes(). Blocks until the bytes are there. The prefetcher asks
  // for ascending ids without repetition and for many at once, so that a storage may merge and overlap
  // its reads; any order and repetition must give the right bytes. REQUIRES: every id in [0, rows());
  // checked, because a wrong row is worse than a stop.
  virtual void Gather(std::span<const std::int64_t> ids, std::byte* out) const = 0;
};

}  // namespace engram
