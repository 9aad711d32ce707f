// SPDX-License-Identifier: Apache-2.0
// Tensors of one backend for tests: made from vectors, read back as vectors, freed together. Values
// cross over by the backend's own copies, so that a test does not care where its memory is.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "kernels/backend.h"

namespace engram::testing_support {

class Arrays {
 public:
  explicit Arrays(Backend* backend) : backend_(backend) {}

  // [rows, cols] of zeros.
  Tensor Zeros(DType dtype, std::int64_t rows, std::int64_t cols) {
    if (rows * cols == 0) return Tensor{nullptr, dtype, rows, cols, cols};
    const std::size_t bytes = static_cast<std::size_t>(rows * cols) * DTypeBytes(dtype);
    buffers_.push_back(backend_->Allocate(bytes));
    return buffers_.back().View(0, dtype, rows, cols);
  }
  Tensor F32(std::int64_t rows, std::int64_t cols) { return Zeros(DType::kF32, rows, cols); }
  Tensor I32(std::int64_t rows, std::int64_t cols) { return Zeros(DType::kI32, rows, cols); }

  Tensor F32(std::int64_t rows, std::int64_t cols, const std::vector<float>& values) {
    return Filled(DType::kF32, rows, cols, values.size(), values.data());
  }
  Tensor I32(std::int64_t rows, std::int64_t cols, const std::vector<std::int32_t>& values) {
    return Filled(DType::kI32, rows, cols, values.size(), values.data());
  }
  // Bytes as they are.
  Tensor U8(std::int64_t rows, std::int64_t cols, std::span<const std::byte> bytes) {
    return Filled(DType::kU8, rows, cols, bytes.size(), bytes.data());
  }
  // A weight matrix of any float dtype; bf16 and f16 are rounded towards zero.
  Tensor Weight(DType dtype, std::int64_t rows, std::int64_t cols,
                const std::vector<float>& values);

  std::vector<float> ReadF32(const Tensor& tensor) {
    std::vector<float> out(static_cast<std::size_t>(tensor.rows * tensor.cols));
    if (!out.empty()) backend_->CopyToHost(Context{}, out.data(), tensor);
    return out;
  }
  std::vector<std::int32_t> ReadI32(const Tensor& tensor) {
    std::vector<std::int32_t> out(static_cast<std::size_t>(tensor.rows * tensor.cols));
    if (!out.empty()) backend_->CopyToHost(Context{}, out.data(), tensor);
    return out;
  }

  Backend& backend() { return *backend_; }

 private:
  Tensor Filled(DType dtype, std::int64_t rows, std::int64_t cols, std::size_t count,
                const void* values) {
    CHECK_EQ(static_cast<std::int64_t>(count), rows * cols);
    const Tensor tensor = Zeros(dtype, rows, cols);
    if (count > 0) backend_->CopyToDevice(Context{}, tensor, values);
    return tensor;
  }

  Backend* backend_;
  std::deque<Buffer> buffers_;
  std::deque<std::vector<std::byte>> weights_;  // host memory behind PlaceWeight
};

// The bits of an f16 next to `value`, towards zero.
inline std::uint16_t F16BitsTowardsZero(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const int exponent = static_cast<int>(bits >> 23 & 255) - 127;
  const std::uint32_t fraction = bits & 0x7fffff;
  if (exponent < -24) return static_cast<std::uint16_t>(sign);
  if (exponent < -14) {
    return static_cast<std::uint16_t>(sign | (fraction | 0x800000) >> (-1 - exponent));
  }
  if (exponent > 15) return static_cast<std::uint16_t>(sign | 0x7bff);
  const auto rebased = static_cast<std::uint32_t>(exponent + 15);
  return static_cast<std::uint16_t>(sign | rebased << 10 | fraction >> 13);
}

inline Tensor Arrays::Weight(DType dtype, std::int64_t rows, std::int64_t cols,
                             const std::vector<float>& values) {
  CHECK_EQ(static_cast<std::int64_t>(values.size()), rows * cols);
  weights_.emplace_back(values.size() * DTypeBytes(dtype));
  void* data = weights_.back().data();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF32) {
      static_cast<float*>(data)[i] = values[i];
    } else {
      static_cast<std::uint16_t*>(data)[i] =
          dtype == DType::kF16
              ? F16BitsTowardsZero(values[i])
              : static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(values[i]) >> 16);
    }
  }
  return backend_->PlaceWeight(MakeTensor(data, dtype, rows, cols));
}

}  // namespace engram::testing_support
