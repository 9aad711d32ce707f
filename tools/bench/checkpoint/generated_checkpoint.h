// SPDX-License-Identifier: Apache-2.0
// A directory of make-checkpoint, opened: its tables where they are mapped, and what must stand in
// their rows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/engram/storage/table_storage.h"
#include "engine/model/model_config.h"
#include "tools/bench/checkpoint/row_content.h"

namespace engram::bench {

struct GeneratedTable {
  int layer_id = 0;
  TableSource source;              // values and scales, mapped
  std::vector<std::string> paths;  // of their files, the values' first
  RowContent content;
};

struct GeneratedCheckpoint {
  ModelConfig config;
  std::unique_ptr<Checkpoint> files;
  std::vector<GeneratedTable> tables;  // [Engram layers]
};

// Errors are those of the files: not a checkpoint, no Engram, not made by make-checkpoint.
absl::StatusOr<GeneratedCheckpoint> OpenGenerated(const std::string& directory);

}  // namespace engram::bench
