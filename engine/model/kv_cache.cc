// SPDX-License-Identifier: Apache-2.0
#include "engine/model/kv_cache.h"

#include <cstddef>
#include <utility>

#include "base/check.h"

namespace engram {

std::int32_t StateEntries::Slot(StateSlot slot) const {
  CHECK(slot.value() >= 0 && slot.value() < slot_count_);
  return 1 + slot.value();
}

std::int32_t StateEntries::Block(BlockId block) const {
  CHECK(block.value() >= 0 && block.value() < block_count_);
  return 1 + slot_count_ + block.value();
}

KvCache::KvCache(const ModelConfig& config, const ModelCacheShape& shape, Backend* backend) {
  CHECK(shape.block_count > 0 && shape.block_size > 0 && shape.state_slots > 0);
  const auto add = [&](std::int64_t rows, std::int64_t cols) {
    Buffer buffer = backend->Allocate(static_cast<std::size_t>(rows * cols) * sizeof(float));
    const Tensor tensor = buffer.View(0, DType::kF32, rows, cols);
    memory_.push_back(std::move(buffer));
    return tensor;
  };
  const std::int64_t tokens = std::int64_t{shape.block_count} * shape.block_size;
  for (int layer = 0; layer < config.num_layers; ++layer) {
    latents_.push_back(add(tokens, config.kv_lora_rank + config.qk_rope_head_dim));
  }
  conv_states_.resize(config.engram.layer_ids.size());
  if (config.engram_kernel_size == 0) return;
  // A kernel of one tap sees nothing of the past: its state has no rows.
  const std::int64_t entries = StateEntries(shape.state_slots, shape.block_count).count();
  for (Tensor& state : conv_states_) {
    state = add(entries * config.conv_window(), std::int64_t{config.hc_mult} * config.hidden_size);
  }
}

std::int64_t KvCache::BytesPerToken(const ModelConfig& config) {
  const std::int64_t width = config.kv_lora_rank + config.qk_rope_head_dim;
  return config.num_layers * width * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t KvCache::BytesPerState(const ModelConfig& config) {
  if (!config.has_engram()) return 0;
  const std::int64_t layers = static_cast<std::int64_t>(config.engram.layer_ids.size());
  const std::int64_t width = std::int64_t{config.hc_mult} * config.hidden_size;
  return layers * config.conv_window() * width * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace engram
