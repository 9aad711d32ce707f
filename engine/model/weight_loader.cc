// SPDX-License-Identifier: Apache-2.0
#include "engine/model/weight_loader.h"

#include <cstddef>

#include "base/check.h"

namespace engram {
namespace {

const std::vector<DType>& FloatTypes() {
  static const std::vector<DType> kTypes = {DType::kF32, DType::kBF16, DType::kF16};
  return kTypes;
}

// A view for Backend::Place*, which reads and never writes.
Tensor HostView(const TensorInfo& info, std::int64_t rows, std::int64_t cols) {
  return MakeTensor(const_cast<std::byte*>(info.bytes.data()), info.dtype, rows, cols);
}

std::int64_t ElementCount(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

}  // namespace

Tensor WeightLoader::Matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const TensorInfo* info = Get({.name = name, .shape = {rows, cols}, .dtypes = FloatTypes()});
  return info == nullptr ? Tensor{} : backend_->PlaceWeight(HostView(*info, rows, cols));
}

Tensor WeightLoader::Vector(const std::string& name, std::vector<std::int64_t> shape,
                            float dummy_std) {
  return PlaceVector(
      {.name = name, .shape = std::move(shape), .dtypes = FloatTypes(), .dummy_std = dummy_std});
}

Tensor WeightLoader::OptionalVector(const std::string& name, std::vector<std::int64_t> shape,
                                    float dummy_std) {
  return PlaceVector({.name = name,
                      .shape = std::move(shape),
                      .dtypes = FloatTypes(),
                      .optional = true,
                      .dummy_std = dummy_std});
}

const TensorInfo* WeightLoader::HostTensor(const std::string& name,
                                           std::vector<std::int64_t> shape,
                                           std::vector<DType> dtypes) {
  return Get({.name = name, .shape = std::move(shape), .dtypes = std::move(dtypes)});
}

Tensor WeightLoader::PlaceVector(const TensorSpec& spec) {
  const TensorInfo* info = Get(spec);
  if (info == nullptr) return {};
  return backend_->PlaceF32(HostView(*info, 1, ElementCount(spec.shape)));
}

const TensorInfo* WeightLoader::Get(const TensorSpec& spec) {
  if (!status_.ok()) return nullptr;
  absl::StatusOr<const TensorInfo*> info = checkpoint_->Get(spec);
  if (info.ok()) return *info;
  status_ = info.status();
  return nullptr;
}

Tensor Reshape(const Tensor& tensor, std::int64_t rows, std::int64_t cols) {
  if (tensor.empty()) return {};
  CHECK(tensor.rows == 1 || tensor.stride == tensor.cols);
  CHECK_EQ(tensor.rows * tensor.cols, rows * cols);
  return MakeTensor(tensor.data, tensor.dtype, rows, cols);
}

}  // namespace engram
