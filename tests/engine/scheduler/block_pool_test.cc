// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler/block_pool.h"

#include <optional>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(BlockPool, GivesEachBlockOnceAndThenNothing) {
  BlockPool pool(3, [](BlockId) { FAIL() << "nothing is cached"; });
  std::set<BlockId> blocks;
  for (int i = 0; i < 3; ++i) blocks.insert(*pool.Allocate());
  EXPECT_EQ(blocks.size(), 3u);
  EXPECT_EQ(pool.available_count(), 0);
  EXPECT_FALSE(pool.Allocate().has_value());
  pool.Release(*blocks.begin());
  EXPECT_EQ(pool.Allocate(), *blocks.begin());
  pool.CheckIntegrity();
}

TEST(BlockPool, ABlockIsFreeWhenItsLastReferenceGoes) {
  BlockPool pool(1, [](BlockId) {});
  const BlockId block = *pool.Allocate();
  pool.AddReference(block);
  pool.Release(block);
  EXPECT_EQ(pool.available_count(), 0);
  EXPECT_EQ(pool.reference_count(block), 1);
  pool.Release(block);
  EXPECT_EQ(pool.available_count(), 1);
}

TEST(BlockPool, EvictsTheCachedBlockThatHasBeenFreeTheLongest) {
  std::vector<BlockId> evicted;
  BlockPool pool(3, [&evicted](BlockId block) { evicted.push_back(block); });
  std::vector<BlockId> blocks;
  for (int i = 0; i < 3; ++i) {
    blocks.push_back(*pool.Allocate());
    pool.MarkCached(blocks.back());
  }
  pool.Release(blocks[1]);
  pool.Release(blocks[2]);
  pool.Release(blocks[0]);
  EXPECT_EQ(pool.cached_free_count(), 3);
  pool.CheckIntegrity();

  // One in the middle is used again: it moves to the end of the row.
  pool.AddReference(blocks[2]);
  EXPECT_EQ(pool.cached_free_count(), 2);
  pool.Release(blocks[2]);
  EXPECT_EQ(pool.EvictionOrder(), (std::vector<BlockId>{blocks[1], blocks[0], blocks[2]}));

  EXPECT_EQ(pool.Allocate(), blocks[1]);
  EXPECT_EQ(evicted, std::vector<BlockId>{blocks[1]});
  EXPECT_FALSE(pool.is_cached(blocks[1]));
  pool.CheckIntegrity();
}

TEST(BlockPool, TakesUnusedBlocksBeforeCachedOnes) {
  std::vector<BlockId> evicted;
  BlockPool pool(2, [&evicted](BlockId block) { evicted.push_back(block); });
  const BlockId cached = *pool.Allocate();
  pool.MarkCached(cached);
  pool.Release(cached);
  EXPECT_NE(pool.Allocate(), cached);
  EXPECT_TRUE(evicted.empty());
  EXPECT_EQ(pool.Allocate(), cached);
  EXPECT_EQ(evicted.size(), 1u);
}

TEST(BlockPoolDeathTest, AReferenceTooManyEndsTheProcess) {
  BlockPool pool(1, [](BlockId) {});
  const BlockId block = *pool.Allocate();
  pool.Release(block);
  EXPECT_DEATH(pool.Release(block), "references");
  EXPECT_DEATH(pool.AddReference(block), "cached");
}

}  // namespace
}  // namespace engram
