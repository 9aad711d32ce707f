// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/storages.h"

#include <chrono>

#include "base/check.h"
#include "base/status_macros.h"
#include "engine/engram/mapped_table.h"

namespace engram::bench {

std::vector<std::string> StorageNames() { return {"mmap"}; }

RowsComeFrom SourceOf(const std::string& storage) {
  CHECK_MSG(storage == "mmap", storage);
  return RowsComeFrom::kPageCache;
}

absl::StatusOr<OpenedTable> OpenTable(const std::string& storage, const std::string& directory,
                                      int layer_index) {
  CHECK_MSG(storage == "mmap", storage);
  OpenedTable opened;
  ASSIGN_OR_RETURN(opened.checkpoint, OpenGenerated(directory));
  const TensorInfo& tensor = *opened.checkpoint.tables.at(layer_index).tensor;
  const auto begin = std::chrono::steady_clock::now();
  opened.table = std::make_unique<MappedTable>(tensor.bytes, tensor.shape[0],
                                               static_cast<int>(tensor.shape[1]), tensor.dtype);
  opened.open_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return opened;
}

}  // namespace engram::bench
