// SPDX-License-Identifier: Apache-2.0
// A whole checkpoint directory from a config.json: tables of RowContent's rows, a shard each; all
// other weights those of `--load-format dummy`, in one shard; a tokenizer from elsewhere. For
// measuring tables of sizes that nobody publishes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/model/model_config.h"
#include "kernels/row_format.h"
#include "tools/bench/checkpoint/shard_header.h"

namespace engram::bench {

struct MakeCheckpointOptions {
  std::string config_path;          // a config.json
  std::string tokenizer_directory;  // with tokenizer.json and tokenizer_config.json
  std::string out_directory;        // must not exist
  std::uint64_t seed = 0;
  int threads = 1;
  std::optional<DType> table_dtype{};  // absent: the config's
};

// What will be written: known before anything is.
struct CheckpointPlan {
  std::string config_json;
  ModelConfig config;
  std::vector<ShardTensor> weights;
  std::vector<float> weight_stds;   // [weights], TensorSpec::dummy_std
  std::vector<ShardTensor> tables;  // [Engram layers], values
  std::vector<ShardTensor> scales;  // [Engram layers], or none
  EngramRowFormat row_format;

  std::int64_t weight_bytes() const;
  std::int64_t table_bytes() const;
};

// Checks everything that can be: the config, that it has Engram, that the tokenizer fits it, that
// the directory is new and its disk has room. Errors say what to do.
absl::StatusOr<CheckpointPlan> PlanCheckpoint(const MakeCheckpointOptions& options);

// Told which file is being written and how much of it has been.
using MakeProgress = std::function<void(const std::string& file, std::int64_t bytes)>;

// Writes into "<out>.partial" and renames that at the end: a directory of the final name is always
// whole. After an error, what was written is removed.
absl::Status MakeCheckpoint(const MakeCheckpointOptions& options, const CheckpointPlan& plan,
                            const MakeProgress& progress);

}  // namespace engram::bench
