// SPDX-License-Identifier: Apache-2.0
#include "engine/model/table_tensors.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace engram {
namespace {

constexpr int kF8Block = 32;  // values of f8_e4m3 that share a scale

// A scale that stands beside values that have none would be left out of every row.
void RefuseScale(const std::string& name, const TensorInfo& values, WeightLoader* load) {
  const TensorInfo* const scale = load->Find(name);
  if (scale == nullptr) return;
  load->Fail(absl::InvalidArgumentError(
      absl::StrCat(scale->file, ": tensor '", scale->name, "' is there, expected none, because '",
                   values.name, "' (", values.file, ") is ", ToAbsl(DTypeName(values.dtype)),
                   "; only i8 and f8_e4m3 have scales")));
}

}  // namespace

TableTensors LoadTable(const std::string& prefix, std::int64_t rows, int head_dim,
                       WeightLoader* load) {
  const std::string scale_name = prefix + "scale";
  TableTensors table = {.format = {.head_dim = head_dim}};
  table.values =
      load->HostTensor(prefix + "weight", {rows, head_dim},
                       {DType::kF32, DType::kBF16, DType::kF16, DType::kI8, DType::kF8E4M3});
  if (table.values == nullptr) return {};
  EngramRowFormat& format = table.format;
  format.dtype = table.values->dtype;
  if (format.dtype == DType::kF8E4M3) {
    format.scale_block = kF8Block;
    format.scale_dtype = DType::kE8M0;
    table.scales =
        load->HostTensor(scale_name, {rows, format.scales()}, {DType::kE8M0, DType::kU8});
  } else if (format.dtype == DType::kI8) {
    format.scale_block = head_dim;
    std::vector<std::int64_t> shape = {rows, 1};
    const TensorInfo* const found = load->Find(scale_name);
    if (found != nullptr && found->shape.size() == 1) shape.pop_back();  // one a row, all the same
    table.scales = load->HostTensor(scale_name, std::move(shape), {DType::kF32, DType::kBF16});
    if (table.scales != nullptr) format.scale_dtype = table.scales->dtype;
  } else {
    RefuseScale(scale_name, *table.values, load);
  }
  return table;
}

}  // namespace engram
