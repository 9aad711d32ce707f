// SPDX-License-Identifier: Apache-2.0
// Cuts one buffer into tensors, so that a step allocates nothing. The same Take calls run twice: on
// no buffer, to learn how much they need, and then on a buffer of that size. What is taken between
// mark() and Rewind() shares its memory with what is taken after: parts that never live together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "kernels/backend.h"

namespace engram {

class Arena {
 public:
  // Measures: tensors have shapes but no memory.
  Arena() = default;
  // Hands out `buffer`, which must outlive the tensors.
  explicit Arena(const Buffer* buffer) : buffer_(buffer) {}

  // A dense [rows, cols] tensor. REQUIRES: fits in the buffer.
  Tensor Take(DType dtype, std::int64_t rows, std::int64_t cols) {
    CHECK(rows >= 0 && cols >= 0);
    const std::size_t bytes = static_cast<std::size_t>(rows * cols) * DTypeBytes(dtype);
    const std::size_t offset = used_;
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    peak_ = std::max(peak_, used_);
    if (buffer_ == nullptr) return MakeTensor(nullptr, dtype, rows, cols);
    return buffer_->View(offset, dtype, rows, cols);
  }
  Tensor TakeF32(std::int64_t rows, std::int64_t cols) { return Take(DType::kF32, rows, cols); }

  std::size_t mark() const { return used_; }
  void Rewind(std::size_t mark) { used_ = mark; }

  // Most bytes in use at once, so far.
  std::size_t peak_bytes() const { return peak_; }

 private:
  static constexpr std::size_t kAlignment = 64;

  const Buffer* buffer_ = nullptr;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

}  // namespace engram
