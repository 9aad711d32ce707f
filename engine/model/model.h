// SPDX-License-Identifier: Apache-2.0
// A model as the executor sees it: one Forward per step, then logits for the rows that need them.
// The graph behind it is one file per architecture; LoadModel (model_registry.cc) picks it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/model/model_config.h"
#include "engine/model/table_tensors.h"
#include "kernels/backend.h"

namespace engram {

// A step on the device, made from a StepPlan by engine/runtime/step_batch. T rows, S slices.
struct ModelBatch {
  Tensor token_ids;       // [1, T] i32
  Tensor positions;       // [1, T] i32
  Tensor cache_slots;     // [1, T] i32: block · block_size + offset
  Tensor sequence;        // [1, T] i32: slice of the row
  Tensor block_tables;    // [S, blocks] i32
  Tensor engram_enabled;  // [1, T] i32: 0 = the memory is off for the row
  int block_size = 0;
  // Host lists for EngramConv; see kernels/ops.h. Entries are those of StateEntries (kv_cache.h).
  std::vector<std::int32_t> slice_first_row;
  std::vector<std::int32_t> slice_row_count;
  std::vector<std::int32_t> slice_source;
  std::vector<std::int32_t> write_slice;
  std::vector<std::int32_t> write_after_row;
  std::vector<std::int32_t> write_entry;

  std::int64_t rows() const { return token_ids.cols; }
};

// The gathered rows of the i-th Engram layer, which it may wait for: host memory [T · H, h_d] in
// the format of engram_tables()[i].
using EngramRowSource = std::function<const std::byte*(int engram_layer_index)>;

// Everything the model keeps between steps, sized once.
struct ModelCacheShape {
  int block_count = 0;
  int block_size = 0;
  int state_slots = 0;    // running sequences
  int positions_max = 0;  // of one sequence: max_model_len
};

// What a cache and a step cost, over all layers.
struct ModelMemory {
  std::int64_t bytes_per_token = 0;  // KV
  std::int64_t bytes_per_state = 0;  // one entry of rolling state: each block and each slot has one
  std::int64_t activation_bytes = 0;  // workspace for a step of rows_max rows
};

// Called by the engine thread only.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelConfig& config() const = 0;

  virtual ModelMemory MemoryNeeds(int rows_max) const = 0;
  // Call once, before the first Forward; nothing is allocated after it.
  virtual void AllocateCache(const ModelCacheShape& shape, int rows_max) = 0;

  // Runs the step through all layers. Returns the rows' states after the final norm, [T, D] f32,
  // valid until the next Forward.
  // `trace` (tests; null otherwise) is shown device tensors on the way: ("before_engram", layer),
  // ("after_engram", layer) and ("hidden", layer), the residual streams [T, n·D] around the memory
  // and after the block.
  // REQUIRES: 1 ≤ batch.rows() ≤ rows_max.
  using Trace = std::function<void(std::string_view what, int layer, const Tensor& tensor)>;
  virtual Tensor Forward(const ModelBatch& batch, const EngramRowSource& engram_rows,
                         const Trace* trace) = 0;
  // Gates of the last Forward: [T, streams] f32 of the i-th Engram layer.
  virtual Tensor Gates(int engram_layer_index) const = 0;
  // out [R, vocab] f32 from hidden [R, D] f32.
  virtual void Logits(const Tensor& out, const Tensor& hidden) = 0;

  // The tables that Engram rows come from, as they lie in the checkpoint: one per config().engram
  // layer.
  virtual std::span<const TableTensors> engram_tables() const = 0;
};

// Reads every tensor through `checkpoint` (names, shapes and dtypes checked, nothing left over) and
// places it on `backend`; both must outlive the model.
absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelConfig& config, Checkpoint* checkpoint,
                                                 Backend* backend);

}  // namespace engram
