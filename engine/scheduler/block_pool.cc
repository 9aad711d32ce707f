// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler/block_pool.h"

#include <utility>

#include "base/check.h"

namespace engram {

BlockPool::BlockPool(int block_count, std::function<void(BlockId)> on_evict)
    : on_evict_(std::move(on_evict)), blocks_(block_count + 1) {
  CHECK_GT(block_count, 0);
  blocks_[ring()].older = blocks_[ring()].newer = ring();
  free_.reserve(block_count);
  for (int i = block_count - 1; i >= 0; --i) free_.push_back(BlockId(i));
}

const BlockPool::Block& BlockPool::Get(BlockId block) const {
  CHECK_GE(block.value(), 0);
  CHECK_LT(block.value(), block_count());
  return blocks_[block.value()];
}

BlockPool::Block& BlockPool::Get(BlockId block) {
  return const_cast<Block&>(std::as_const(*this).Get(block));
}

void BlockPool::LinkNewest(int index) {
  Block& end = blocks_[ring()];
  blocks_[index].older = end.older;
  blocks_[index].newer = ring();
  blocks_[end.older].newer = index;
  end.older = index;
  ++cached_free_count_;
}

void BlockPool::Unlink(int index) {
  blocks_[blocks_[index].older].newer = blocks_[index].newer;
  blocks_[blocks_[index].newer].older = blocks_[index].older;
  --cached_free_count_;
}

std::optional<BlockId> BlockPool::Allocate() {
  if (!free_.empty()) {
    const BlockId block = free_.back();
    free_.pop_back();
    Get(block).references = 1;
    return block;
  }
  const int oldest = blocks_[ring()].newer;
  if (oldest == ring()) return std::nullopt;
  Unlink(oldest);
  blocks_[oldest].cached = false;
  blocks_[oldest].references = 1;
  on_evict_(BlockId(oldest));
  return BlockId(oldest);
}

void BlockPool::AddReference(BlockId block) {
  Block& entry = Get(block);
  CHECK(entry.references > 0 || entry.cached);
  if (entry.references++ == 0) Unlink(block.value());
}

void BlockPool::Release(BlockId block) {
  Block& entry = Get(block);
  CHECK_GT(entry.references, 0);
  if (--entry.references > 0) return;
  if (entry.cached) {
    LinkNewest(block.value());
  } else {
    free_.push_back(block);
  }
}

void BlockPool::MarkCached(BlockId block) {
  Block& entry = Get(block);
  CHECK_GT(entry.references, 0);
  CHECK(!entry.cached);
  entry.cached = true;
}

std::vector<BlockId> BlockPool::EvictionOrder() const {
  std::vector<BlockId> order;
  for (int i = blocks_[ring()].newer; i != ring(); i = blocks_[i].newer) {
    order.push_back(BlockId(i));
    CHECK_LE(static_cast<int>(order.size()), block_count());
  }
  return order;
}

void BlockPool::CheckIntegrity() const {
  const std::vector<BlockId> cached_free = EvictionOrder();
  CHECK_EQ(static_cast<int>(cached_free.size()), cached_free_count_);
  std::vector<bool> listed(block_count(), false);
  for (const BlockId block : cached_free) {
    CHECK(!listed[block.value()]);
    listed[block.value()] = true;
    CHECK(Get(block).references == 0 && Get(block).cached);
  }
  for (const BlockId block : free_) {
    CHECK(!listed[block.value()]);
    listed[block.value()] = true;
    CHECK(Get(block).references == 0 && !Get(block).cached);
  }
  for (int i = 0; i < block_count(); ++i) {
    CHECK_GE(blocks_[i].references, 0);
    CHECK_EQ(listed[i], blocks_[i].references == 0);
  }
}

}  // namespace engram
