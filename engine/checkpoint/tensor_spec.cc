// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/tensor_spec.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "engine/checkpoint/safetensors.h"
#include "kernels/dtype.h"

namespace engram {
namespace {

// "f32, bf16 or f16"
std::string DTypesToString(const std::vector<DType>& dtypes) {
  std::string out;
  for (std::size_t i = 0; i < dtypes.size(); ++i) {
    const char* separator = i == 0 ? "" : i + 1 == dtypes.size() ? " or " : ", ";
    absl::StrAppend(&out, separator, ToAbsl(DTypeName(dtypes[i])));
  }
  return out;
}

}  // namespace

absl::Status CheckTensor(const TensorInfo& found, const TensorSpec& expected) {
  const std::string what = absl::StrCat(found.file, ": tensor '", found.name, "' ");
  if (found.shape != expected.shape) {
    return absl::InvalidArgumentError(absl::StrCat(what, "has shape ", ShapeToString(found.shape),
                                                   ", expected ", ShapeToString(expected.shape),
                                                   " from config.json"));
  }
  const auto& dtypes = expected.dtypes;
  if (std::find(dtypes.begin(), dtypes.end(), found.dtype) == dtypes.end()) {
    return absl::InvalidArgumentError(absl::StrCat(what, "is ", ToAbsl(DTypeName(found.dtype)),
                                                   ", expected ", DTypesToString(dtypes)));
  }
  return absl::OkStatus();
}

std::string SpecToString(const TensorSpec& spec) {
  return absl::StrCat(ShapeToString(spec.shape), " of ", DTypesToString(spec.dtypes));
}

}  // namespace engram
