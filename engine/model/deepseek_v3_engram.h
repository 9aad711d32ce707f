// SPDX-License-Identifier: Apache-2.0
// The graph of the Engram paper's model: DeepSeek-V3's MLA and MoE inside mHC sites, with the
// Engram memory before the blocks that have one. At hc_mult 1 and without Engram it is DeepSeek-V3.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/model/arena.h"
#include "engine/model/deepseek_weights.h"
#include "engine/model/engram_layer.h"
#include "engine/model/hyper_connections.h"
#include "engine/model/kv_cache.h"
#include "engine/model/mla.h"
#include "engine/model/model.h"
#include "engine/model/model_config.h"
#include "engine/model/moe.h"
#include "engine/model/rope_table.h"
#include "kernels/backend.h"

namespace engram {

class DeepseekV3Engram final : public Model {
 public:
  // `backend`, and the checkpoint that `weights` come from, must outlive the model.
  DeepseekV3Engram(const ModelConfig& config, DeepseekWeights weights, Backend* backend);

  const ModelConfig& config() const override { return config_; }
  ModelMemory MemoryNeeds(int rows_max) const override;
  void AllocateCache(const ModelCacheShape& shape, int rows_max) override;
  Tensor Forward(const ModelBatch& batch, const EngramRowSource& engram_rows,
                 const Trace* trace) override;
  Tensor Gates(int engram_layer_index) const override;
  void Logits(const Tensor& out, const Tensor& hidden) override;
  std::span<const TableTensors> engram_tables() const override {
    return weights_.engram_tables;
  }

 private:
  // The workspace of a step of rows_max rows. What the sub-layers use for themselves overlaps.
  struct Activations {
    Tensor streams;             // [rows, n·D] f32
    Tensor input;               // [rows, D] f32: a sub-layer's, normed
    Tensor output;              // [rows, D] f32: a sub-layer's; after the last one, the step's
    std::vector<Tensor> gates;  // [Engram layers] of [rows, n] f32
    SiteBuffers site;
    MlaBuffers mla;
    FfnBuffers ffn;
    EngramBuffers engram;
  };
  Activations TakeActivations(int rows_max, Arena* arena) const;

  void Remember(const LayerWeights& layer, const ModelBatch& batch,
                const EngramRowSource& engram_rows, const Tensor& streams);
  void Norm(const Tensor& out, const Tensor& x, const Tensor& weight);

  // Constant after construction.
  const ModelConfig config_;
  const DeepseekWeights weights_;
  Backend* const backend_;

  // Constant after AllocateCache, but for the numbers in them.
  RopeTable rope_;
  KvCache cache_;
  Buffer workspace_;
  Activations buffers_;
  std::int64_t last_rows_ = 0;  // of the last Forward
};

}  // namespace engram
