// SPDX-License-Identifier: Apache-2.0
#include "tests/testing/tensors.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "kernels/dtype.h"

namespace engram::testing_support {
namespace {

template <typename T>
std::vector<T> Elements(const SafetensorsTensor& tensor) {
  CHECK_EQ(sizeof(T), DTypeBytes(tensor.dtype));
  std::vector<T> out(tensor.bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

[[noreturn]] void WrongDType(const SafetensorsTensor& tensor, const char* wanted) {
  CHECK_MSG(false, tensor.name + " is " + std::string(DTypeName(tensor.dtype)) + ", not " + wanted);
  std::abort();
}

}  // namespace

TensorFile TensorFile::Load(const std::string& path) {
  auto file = MappedFile::Open(path);
  CHECK_MSG(file.ok(), Message(file.status()) + "; is it in the test's data?");
  auto tensors = ParseSafetensors(file->bytes());
  CHECK_MSG(tensors.ok(), path + ": " + Message(tensors.status()));
  return TensorFile(path, *std::move(file), *std::move(tensors));
}

TensorFile::TensorFile(std::string path, MappedFile file, std::vector<SafetensorsTensor> tensors)
    : path_(std::move(path)), file_(std::move(file)), in_file_order_(std::move(tensors)) {
  for (std::size_t i = 0; i < in_file_order_.size(); ++i) tensors_[in_file_order_[i].name] = i;
}

const SafetensorsTensor& TensorFile::Raw(const std::string& name) const {
  const auto found = tensors_.find(name);
  CHECK_MSG(found != tensors_.end(), path_ + " has no tensor " + name);
  return in_file_order_[found->second];
}

std::vector<std::string> TensorFile::Names() const {
  std::vector<std::string> names;
  for (const SafetensorsTensor& tensor : in_file_order_) names.push_back(tensor.name);
  return names;
}

std::vector<std::int64_t> TensorFile::Shape(const std::string& name) const {
  return Raw(name).shape;
}

std::vector<float> TensorFile::F32(const std::string& name) const {
  const SafetensorsTensor& tensor = Raw(name);
  if (tensor.dtype == DType::kF32) return Elements<float>(tensor);
  if (tensor.dtype != DType::kBF16 && tensor.dtype != DType::kF16) WrongDType(tensor, "a float");
  std::vector<float> out;
  for (const std::uint16_t bits : Elements<std::uint16_t>(tensor)) {
    out.push_back(tensor.dtype == DType::kBF16 ? BF16ToF32(bits) : F16ToF32(bits));
  }
  return out;
}

std::vector<std::int32_t> TensorFile::I32(const std::string& name) const {
  const SafetensorsTensor& tensor = Raw(name);
  if (tensor.dtype != DType::kI32) WrongDType(tensor, "i32");
  return Elements<std::int32_t>(tensor);
}

std::vector<std::int64_t> TensorFile::I64(const std::string& name) const {
  const SafetensorsTensor& tensor = Raw(name);
  if (tensor.dtype == DType::kI64) return Elements<std::int64_t>(tensor);
  const std::vector<std::int32_t> narrow = I32(name);
  return {narrow.begin(), narrow.end()};
}

}  // namespace engram::testing_support
