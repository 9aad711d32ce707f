// SPDX-License-Identifier: Apache-2.0
// An Engram table read where the checkpoint has mapped it: nothing is copied at load, a row's page
// comes from the page cache, or from the disk at first touch. The simplest storage behind
// EngramTable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/engram/engram_table.h"
#include "kernels/dtype.h"

namespace engram {

class MappedTable final : public EngramTable {
 public:
  // `bytes`: [rows, head_dim] of `dtype`, row-major, borrowed. Advises the kernel that its pages
  // will be read at random. REQUIRES: bytes.size() == rows · head_dim · DTypeBytes(dtype).
  MappedTable(std::span<const std::byte> bytes, std::int64_t rows, int head_dim, DType dtype);

  std::int64_t rows() const override { return rows_; }
  int head_dim() const override { return head_dim_; }
  DType dtype() const override { return dtype_; }
  void Gather(std::span<const RowCopy> copies, std::byte* out) const override;
  EngramTableStats stats() const override { return {.tier = "mmap", .bytes = bytes_.size()}; }

 private:
  // Constant after construction.
  std::span<const std::byte> bytes_;
  std::int64_t rows_;
  int head_dim_;
  DType dtype_;
};

}  // namespace engram
