// SPDX-License-Identifier: Apache-2.0
#include "engine/model/deepseek_v3_engram.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace engram {
namespace {

void Show(const Model::Trace* trace, std::string_view what, int layer, const Tensor& tensor) {
  if (trace != nullptr) (*trace)(what, layer, tensor);
}

}  // namespace

DeepseekV3Engram::DeepseekV3Engram(const ModelConfig& config, DeepseekWeights weights,
                                   Backend* backend)
    : config_(config), weights_(std::move(weights)), backend_(backend) {}

Tensor DeepseekV3Engram::Forward(const ModelBatch& batch, const EngramRowSource& engram_rows,
                                 const Trace* trace) {
  last_rows_ = batch.rows();
  CHECK(last_rows_ >= 1 && last_rows_ <= buffers_.streams.rows);
  const Tensor streams = buffers_.streams.Rows(0, last_rows_);
  const Tensor input = buffers_.input.Rows(0, last_rows_);
  const Tensor output = buffers_.output.Rows(0, last_rows_);

  backend_->Embed(Context{}, {.out = input, .table = weights_.embedding, .ids = batch.token_ids});
  EnterStreams(config_, streams, input, backend_);

  for (int i = 0; i < config_.num_layers; ++i) {
    const LayerWeights& layer = weights_.layers[i];
    if (layer.engram_index) {
      Show(trace, "before_engram", i, streams);
      Remember(layer, batch, engram_rows, streams);
      Show(trace, "after_engram", i, streams);
    }

    Norm(input, EnterSite(config_, layer.attention_site, streams, buffers_.site, backend_),
         layer.attention_norm);
    RunMla(config_,
           {.out = output,
            .x = input,
            .cache = cache_.latents(i),
            .batch = batch,
            .weights = layer.attention,
            .rope = rope_,
            .buffers = buffers_.mla},
           backend_);
    LeaveSite(config_, streams, output, buffers_.site, backend_);

    Norm(input, EnterSite(config_, layer.ffn_site, streams, buffers_.site, backend_),
         layer.ffn_norm);
    RunFfn(config_, {.out = output, .x = input, .weights = layer.ffn, .buffers = buffers_.ffn},
           backend_);
    LeaveSite(config_, streams, output, buffers_.site, backend_);
    Show(trace, "hidden", i, streams);
  }

  LeaveStreams(config_, weights_.hc_head, output, streams, backend_);
  Norm(output, output, weights_.final_norm);
  return output;
}

void DeepseekV3Engram::Remember(const LayerWeights& layer, const ModelBatch& batch,
                                const EngramRowSource& engram_rows, const Tensor& streams) {
  const int index = *layer.engram_index;
  RunEngramLayer(config_,
                 {.streams = streams,
                  .gates = Gates(index),
                  .conv_state = cache_.conv_state(index),
                  .table_rows = engram_rows(index),
                  .table_format = weights_.engram_tables[index].format,
                  .batch = batch,
                  .weights = layer.engram,
                  .buffers = buffers_.engram},
                 backend_);
}

void DeepseekV3Engram::Norm(const Tensor& out, const Tensor& x, const Tensor& weight) {
  backend_->RmsNorm(Context{}, {.out = out, .x = x, .weight = weight, .eps = config_.rms_norm_eps});
}

Tensor DeepseekV3Engram::Gates(int engram_layer_index) const {
  return buffers_.gates[engram_layer_index].Rows(0, last_rows_);
}

void DeepseekV3Engram::Logits(const Tensor& out, const Tensor& hidden) {
  backend_->MatMul(Context{}, {.out = out, .x = hidden, .weight = weights_.lm_head, .bias = {}});
}

ModelMemory DeepseekV3Engram::MemoryNeeds(int rows_max) const {
  Arena measure;
  TakeActivations(rows_max, &measure);
  return {.bytes_per_token = KvCache::BytesPerToken(config_),
          .bytes_per_state = KvCache::BytesPerState(config_),
          .activation_bytes = static_cast<std::int64_t>(measure.peak_bytes())};
}

void DeepseekV3Engram::AllocateCache(const ModelCacheShape& shape, int rows_max) {
  CHECK(workspace_.bytes() == 0);  // called once
  rope_ = MakeRopeTable(config_, shape.positions_max, backend_);
  cache_ = KvCache(config_, shape, backend_);
  workspace_ = backend_->Allocate(MemoryNeeds(rows_max).activation_bytes);
  Arena arena(&workspace_);
  buffers_ = TakeActivations(rows_max, &arena);
}

DeepseekV3Engram::Activations DeepseekV3Engram::TakeActivations(int rows_max, Arena* arena) const {
  const std::int64_t n = config_.hc_mult;
  Activations out;
  out.streams = arena->TakeF32(rows_max, n * config_.hidden_size);
  out.input = arena->TakeF32(rows_max, config_.hidden_size);
  out.output = arena->TakeF32(rows_max, config_.hidden_size);
  std::size_t table_row_bytes = 0;
  for (const TableTensors& table : weights_.engram_tables) {
    table_row_bytes = std::max(table_row_bytes, table.format.row_bytes());
    out.gates.push_back(arena->TakeF32(rows_max, n));
  }
  out.site = TakeSiteBuffers(config_, rows_max, arena);

  const std::size_t scratch = arena->mark();
  out.mla = TakeMlaBuffers(config_, rows_max, arena);
  arena->Rewind(scratch);
  out.ffn = TakeFfnBuffers(config_, rows_max, arena);
  arena->Rewind(scratch);
  if (config_.has_engram()) {
    out.engram = TakeEngramBuffers(config_, table_row_bytes, rows_max, arena);
  }
  return out;
}

}  // namespace engram
