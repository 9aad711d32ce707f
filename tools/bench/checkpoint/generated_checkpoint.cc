// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/generated_checkpoint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/model/table_tensors.h"
#include "engine/model/weight_loader.h"
#include "tools/bench/checkpoint/table_mark.h"
#include "tools/bench/checkpoint/tensor_list.h"

namespace engram::bench {

namespace {

absl::StatusOr<GeneratedTable> OpenTable(const std::string& directory, std::uint64_t seed,
                                         int layer_id, const TensorSpec& values,
                                         Checkpoint* files) {
  WeightLoader load(files, /*backend=*/nullptr);  // nothing is placed
  constexpr std::size_t kWeight = sizeof("weight") - 1;
  const std::string prefix = values.name.substr(0, values.name.size() - kWeight);
  const TableTensors tensors =
      LoadTable(prefix, values.shape[0], static_cast<int>(values.shape[1]), &load);
  RETURN_IF_ERROR(load.status());
  const auto path = [&](const TensorInfo* tensor) {
    return absl::StrCat(directory, "/", tensor->file);
  };
  if (!CanMakeRows(tensors.format)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(tensors.values), ": tensor '", tensors.values->name,
                     "' is of a type that make-checkpoint does not write"));
  }
  GeneratedTable table = {.layer_id = layer_id,
                          .source = {.rows = values.shape[0],
                                     .format = tensors.format,
                                     .values = RegionOf(tensors.values),
                                     .scales = RegionOf(tensors.scales),
                                     .name = tensors.values->name},
                          .paths = {path(tensors.values)},
                          .content = RowContent(seed, layer_id, tensors.format)};
  if (tensors.scales != nullptr) table.paths.push_back(path(tensors.scales));
  return table;
}

}  // namespace

absl::StatusOr<GeneratedCheckpoint> OpenGenerated(const std::string& directory) {
  GeneratedCheckpoint opened;
  ASSIGN_OR_RETURN(opened.config, ModelConfig::Load(directory));
  ASSIGN_OR_RETURN(const TableMark mark, ReadTableMark(directory));
  ASSIGN_OR_RETURN(opened.files, Checkpoint::Open(directory));
  ASSIGN_OR_RETURN(const TensorList list, ListTensors(opened.config));
  for (std::size_t i = 0; i < list.tables.size(); ++i) {
    ASSIGN_OR_RETURN(GeneratedTable table,
                     OpenTable(directory, mark.seed, opened.config.engram.layer_ids[i],
                               list.tables[i], opened.files.get()));
    opened.tables.push_back(std::move(table));
  }
  if (opened.tables.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(directory, ": the model has no Engram tables"));
  }
  return opened;
}

}  // namespace engram::bench
