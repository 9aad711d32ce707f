// SPDX-License-Identifier: Apache-2.0
// A view of numbers in a device's memory. Kernels see matrices: [rows, cols] with a stride between
// rows; what has more dimensions says so in the comment of its op ([T, n·D]). A view owns nothing,
// and only code in kernels/ may dereference `data`.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "kernels/dtype.h"

namespace engram {

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;  // elements from one row to the next, ≥ cols

  bool empty() const { return data == nullptr; }
  std::size_t bytes() const { return static_cast<std::size_t>(rows * stride) * DTypeBytes(dtype); }

  // Rows [first, first + count).
  Tensor Rows(std::int64_t first, std::int64_t count) const {
    CHECK(first >= 0 && count >= 0 && first + count <= rows);
    Tensor out = *this;
    out.data = static_cast<std::byte*>(data) + first * stride * DTypeBytes(dtype);
    out.rows = count;
    return out;
  }
  // Columns [first, first + count); the stride stays.
  Tensor Cols(std::int64_t first, std::int64_t count) const {
    CHECK(first >= 0 && count >= 0 && first + count <= cols);
    Tensor out = *this;
    out.data = static_cast<std::byte*>(data) + first * DTypeBytes(dtype);
    out.cols = count;
    return out;
  }

  // For kernels only: the elements as T.
  template <typename T>
  T* as() const {
    CHECK_EQ(sizeof(T), DTypeBytes(dtype));
    return static_cast<T*>(data);
  }
};

inline Tensor MakeTensor(void* data, DType dtype, std::int64_t rows, std::int64_t cols) {
  return Tensor{data, dtype, rows, cols, cols};
}

}  // namespace engram
