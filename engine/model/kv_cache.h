// SPDX-License-Identifier: Apache-2.0
// What a model keeps between steps: per layer the paged latent cache of MLA, per Engram layer the
// rolling state of the short convolution, whose entries are snapshotted at block boundaries so that
// a prefix hit or a resumed sequence finds its past again. Who uses which block is the scheduler's.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/model.h"
#include "engine/model/model_config.h"
#include "engine/step_plan.h"
#include "kernels/backend.h"

namespace engram {

// Numbers the entries of a rolling-state tensor: the zeros before position 0, one live entry per
// running sequence, one snapshot per block (the state after the block's last position).
class StateEntries {
 public:
  StateEntries(int slot_count, int block_count)
      : slot_count_(slot_count), block_count_(block_count) {}

  std::int32_t zeros() const { return 0; }
  // REQUIRES: a slot and a block of the cache.
  std::int32_t Slot(StateSlot slot) const;
  std::int32_t Block(BlockId block) const;
  int count() const { return 1 + slot_count_ + block_count_; }

 private:
  int slot_count_;
  int block_count_;
};

class KvCache {
 public:
  KvCache() = default;
  KvCache(const ModelConfig& config, const ModelCacheShape& shape, Backend* backend);

  // [blocks · block_size, kv_lora + rope] f32.
  const Tensor& latents(int layer) const { return latents_[layer]; }
  // [entries · window, n·D] f32; empty if the model has no short convolution.
  const Tensor& conv_state(int engram_layer_index) const {
    return conv_states_[engram_layer_index];
  }

  static std::int64_t BytesPerToken(const ModelConfig& config);
  static std::int64_t BytesPerState(const ModelConfig& config);

 private:
  std::vector<Buffer> memory_;
  std::vector<Tensor> latents_;      // [layers]
  std::vector<Tensor> conv_states_;  // [Engram layers]
};

}  // namespace engram
