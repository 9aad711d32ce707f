// SPDX-License-Identifier: Apache-2.0
// The cache's blocks as numbers: who refers to each, which are free, and which of the free ones
// still hold something the prefix cache knows. It does not know what is in a block.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/step_plan.h"

namespace engram {

// A block is in one of four states, by its reference count and its cached mark:
//   referenced           a sequence's own
//   referenced, cached   sequences', and the prefix cache knows its content
//   free                 nobody's
//   free, cached         the prefix cache's alone: given out when nothing else is left, the one
//                        that has been free the longest first
// Not thread-safe.
class BlockPool {
 public:
  // `on_evict` is called with each cached block just before Allocate gives it to somebody else; the
  // block is not cached any more then.
  BlockPool(int block_count, std::function<void(BlockId)> on_evict);

  // A block with one reference and undefined content; nothing if every block is referenced.
  std::optional<BlockId> Allocate();
  // One more reference. REQUIRES: the block is referenced or cached.
  void AddReference(BlockId block);
  // One reference fewer. REQUIRES: the block is referenced.
  void Release(BlockId block);
  // REQUIRES: the block is referenced and not cached.
  void MarkCached(BlockId block);

  int block_count() const { return static_cast<int>(blocks_.size()) - 1; }
  // Blocks that Allocate could give out, cached ones included.
  int available_count() const { return static_cast<int>(free_.size()) + cached_free_count_; }
  int cached_free_count() const { return cached_free_count_; }
  int reference_count(BlockId block) const { return Get(block).references; }
  bool is_cached(BlockId block) const { return Get(block).cached; }
  // Free cached blocks in the order of their eviction. For tests and CheckIntegrity.
  std::vector<BlockId> EvictionOrder() const;

  // CHECKs that the lists and counts agree with the blocks' states.
  void CheckIntegrity() const;

 private:
  // Free cached blocks form a ring through the last entry of blocks_, oldest first, so that one in
  // the middle can be revived in constant time.
  struct Block {
    int references = 0;
    bool cached = false;
    int older = 0;
    int newer = 0;
  };

  const Block& Get(BlockId block) const;
  Block& Get(BlockId block);
  void LinkNewest(int index);
  void Unlink(int index);
  int ring() const { return block_count(); }

  const std::function<void(BlockId)> on_evict_;
  std::vector<Block> blocks_;  // [block_count + 1]
  std::vector<BlockId> free_;  // not cached; the last is given out next
  int cached_free_count_ = 0;
};

}  // namespace engram
