// SPDX-License-Identifier: Apache-2.0
// Architectures by model_type: one line each. ModelConfig::Parse has refused any other name.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "engine/engram/engram_layout.h"
#include "engine/model/deepseek_v3_engram.h"
#include "engine/model/deepseek_weights.h"
#include "engine/model/model.h"

namespace engram {
namespace {

// What each Engram layer's table must have; fails if the config declares something else.
absl::StatusOr<std::vector<std::int64_t>> TableRows(const EngramConfig& config) {
  if (config.layer_ids.empty()) return std::vector<std::int64_t>();
  ASSIGN_OR_RETURN(const std::vector<EngramTableLayout> layouts, MakeEngramTableLayouts(config));
  std::vector<std::int64_t> rows;
  for (const EngramTableLayout& layout : layouts) rows.push_back(layout.rows);
  return rows;
}

absl::StatusOr<std::unique_ptr<Model>> LoadDeepseek(const ModelConfig& config,
                                                    Checkpoint* checkpoint, Backend* backend) {
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> table_rows, TableRows(config.engram));
  ASSIGN_OR_RETURN(DeepseekWeights weights,
                   LoadDeepseekWeights(config, table_rows, checkpoint, backend));
  return std::make_unique<DeepseekV3Engram>(config, std::move(weights), backend);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelConfig& config, Checkpoint* checkpoint,
                                                 Backend* backend) {
  if (config.model_type == "deepseek_v3") return LoadDeepseek(config, checkpoint, backend);
  if (config.model_type == "deepseek_v3_engram") return LoadDeepseek(config, checkpoint, backend);
  return absl::UnimplementedError("model_type \"" + config.model_type +
                                  "\" has no graph; there are deepseek_v3 and deepseek_v3_engram");
}

}  // namespace engram
