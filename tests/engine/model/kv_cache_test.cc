// SPDX-License-Identifier: Apache-2.0
#include "engine/model/kv_cache.h"

#include <cstdint>
#include <memory>
#include <set>

#include "gtest/gtest.h"
#include "kernels/backend_factory.h"

namespace engram {
namespace {

constexpr ModelCacheShape kShape = {
    .block_count = 5, .block_size = 4, .state_slots = 3, .positions_max = 16};

ModelConfig Config() {
  ModelConfig config;
  config.hidden_size = 8;
  config.num_layers = 2;
  config.kv_lora_rank = 6;
  config.qk_rope_head_dim = 4;
  config.hc_mult = 2;
  config.engram.layer_ids = {0, 1};
  config.engram_kernel_size = 4;
  config.engram_conv_dilation = 3;
  return config;
}

TEST(StateEntriesTest, EveryOwnerHasItsOwn) {
  const StateEntries entries(3, 5);
  std::set<std::int32_t> all = {entries.zeros()};
  for (int slot = 0; slot < 3; ++slot) all.insert(entries.Slot(StateSlot(slot)));
  for (int block = 0; block < 5; ++block) all.insert(entries.Block(BlockId(block)));
  EXPECT_EQ(all.size(), 9u);
  EXPECT_EQ(entries.count(), 9);
  EXPECT_EQ(*all.begin(), 0);
  EXPECT_EQ(*all.rbegin(), 8);
}

TEST(StateEntriesDeathTest, OthersHaveNone) {
  const StateEntries entries(3, 5);
  EXPECT_DEATH(entries.Slot(StateSlot(3)), "slot_count_");
  EXPECT_DEATH(entries.Block(BlockId(5)), "block_count_");
}

TEST(KvCacheTest, ShapesAndTheirCost) {
  const std::unique_ptr<Backend> backend = MakeBackend("ref", {});
  const KvCache cache(Config(), kShape, backend.get());
  EXPECT_EQ(cache.latents(1).rows, 20);
  EXPECT_EQ(cache.latents(1).cols, 10);
  EXPECT_NE(cache.latents(0).data, cache.latents(1).data);
  EXPECT_EQ(cache.conv_state(0).rows, 9 * 9);  // entries · window
  EXPECT_EQ(cache.conv_state(0).cols, 16);
  EXPECT_NE(cache.conv_state(0).data, cache.conv_state(1).data);
  EXPECT_EQ(KvCache::BytesPerToken(Config()), 2 * 10 * 4);
  EXPECT_EQ(KvCache::BytesPerState(Config()), 2 * 9 * 16 * 4);
}

TEST(KvCacheTest, ConvolutionOfOneTapHasNoPast) {
  const std::unique_ptr<Backend> backend = MakeBackend("ref", {});
  ModelConfig config = Config();
  config.engram_kernel_size = 1;
  EXPECT_EQ(KvCache(config, kShape, backend.get()).conv_state(0).rows, 0);
  EXPECT_EQ(KvCache(config, kShape, backend.get()).conv_state(0).cols, 16);
  EXPECT_EQ(KvCache::BytesPerState(config), 0);
}

TEST(KvCacheTest, NoConvolutionNoState) {
  const std::unique_ptr<Backend> backend = MakeBackend("ref", {});
  ModelConfig config = Config();
  config.engram_kernel_size = 0;
  EXPECT_TRUE(KvCache(config, kShape, backend.get()).conv_state(1).empty());
  EXPECT_EQ(KvCache::BytesPerState(config), 0);
}

}  // namespace
}  // namespace engram
