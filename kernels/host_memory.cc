// SPDX-License-Identifier: Apache-2.0
#include "kernels/host_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace engram {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

void* HostMemory::AllocateZeroed(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
  const std::size_t rounded = std::max<std::size_t>(1, (bytes + alignment - 1) / alignment);
  void* data = std::aligned_alloc(alignment, rounded * alignment);
  CHECK_MSG(data != nullptr, "out of memory: " + std::to_string(bytes) + " bytes asked for");
  std::memset(data, 0, bytes);
  return data;
}

void HostMemory::Free(void* data) { std::free(data); }

Tensor HostMemory::PlaceF32(const Tensor& host) {
  placed_.push_back(std::make_unique<float[]>(static_cast<std::size_t>(host.rows * host.cols)));
  float* data = placed_.back().get();
  for (std::int64_t row = 0; row < host.rows; ++row) WidenRow(host, row, data + row * host.cols);
  return MakeTensor(data, DType::kF32, host.rows, host.cols);
}

void HostMemory::CopyIn(const Tensor& tensor, const void* flat) {
  const std::size_t row_bytes = static_cast<std::size_t>(tensor.cols) * DTypeBytes(tensor.dtype);
  const auto* from = static_cast<const std::byte*>(flat);
  for (std::int64_t row = 0; row < tensor.rows; ++row, from += row_bytes) {
    std::memcpy(tensor.Rows(row, 1).data, from, row_bytes);
  }
}

void HostMemory::CopyOut(void* flat, const Tensor& tensor) {
  const std::size_t row_bytes = static_cast<std::size_t>(tensor.cols) * DTypeBytes(tensor.dtype);
  auto* to = static_cast<std::byte*>(flat);
  for (std::int64_t row = 0; row < tensor.rows; ++row, to += row_bytes) {
    std::memcpy(to, tensor.Rows(row, 1).data, row_bytes);
  }
}

void WidenRow(const Tensor& tensor, std::int64_t row, float* out) {
  const void* data = tensor.Rows(row, 1).data;
  switch (tensor.dtype) {
    case DType::kF32:
      std::copy_n(static_cast<const float*>(data), tensor.cols, out);
      return;
    case DType::kBF16:
      std::transform(static_cast<const std::uint16_t*>(data),
                     static_cast<const std::uint16_t*>(data) + tensor.cols, out, BF16ToF32);
      return;
    case DType::kF16:
      std::transform(static_cast<const std::uint16_t*>(data),
                     static_cast<const std::uint16_t*>(data) + tensor.cols, out, F16ToF32);
      return;
    default:
      CHECK_MSG(false, "no f32 values in dtype " + std::string(DTypeName(tensor.dtype)));
  }
}

}  // namespace engram
