// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/generated_checkpoint.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tools/bench/checkpoint/table_mark.h"
#include "tools/bench/checkpoint/tensor_list.h"

namespace engram::bench {

absl::StatusOr<GeneratedCheckpoint> OpenGenerated(const std::string& directory) {
  GeneratedCheckpoint opened;
  ASSIGN_OR_RETURN(opened.config, ModelConfig::Load(directory));
  ASSIGN_OR_RETURN(const TableMark mark, ReadTableMark(directory));
  ASSIGN_OR_RETURN(opened.files, Checkpoint::Open(directory));
  ASSIGN_OR_RETURN(const TensorList list, ListTensors(opened.config));
  for (std::size_t i = 0; i < list.tables.size(); ++i) {
    ASSIGN_OR_RETURN(const TensorInfo* tensor, opened.files->Get(list.tables[i]));
    if (!CanMakeRows(tensor->dtype)) {
      return absl::InvalidArgumentError(
          absl::StrCat(directory, "/", tensor->file, ": tensor '", tensor->name,
                       "' is of a type that make-checkpoint does not write"));
    }
    const int layer_id = opened.config.engram.layer_ids[i];
    opened.tables.push_back(
        {.layer_id = layer_id,
         .tensor = tensor,
         .path = absl::StrCat(directory, "/", tensor->file),
         .content = RowContent(mark.seed, layer_id, opened.config.engram.head_dim, tensor->dtype)});
  }
  if (opened.tables.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(directory, ": the model has no Engram tables"));
  }
  return opened;
}

}  // namespace engram::bench
