// SPDX-License-Identifier: Apache-2.0
// Finds the block that already holds the keys of given tokens after a given past. A block's content
// is named by its tokens and its parent block; a keyed hash only finds the candidates, and tokens
// and parent are compared, so that no collision can give anyone somebody else's keys.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/siphash.h"
#include "engine/step_plan.h"

namespace engram {

// What the whole chain depends on besides its tokens.
struct PrefixRoot {
  std::string cache_salt;
  bool engram_enabled = true;  // without the memory the same tokens have other keys

  friend bool operator==(const PrefixRoot&, const PrefixRoot&) = default;
};

// A full block's content. The parent is enough to name the past: a cached block's parent is cached
// for as long (see PrefixCache), so its id cannot have come to mean something else.
struct PrefixKey {
  std::uint64_t hash = 0;                // ChainHash of the past and the tokens
  std::optional<BlockId> parent;         // absent: the first block, whose past is the root
  const PrefixRoot* root = nullptr;      // borrowed for the call
  std::span<const std::int32_t> tokens;  // [block_size]
};

// Hash of an empty past.
std::uint64_t RootHash(const SipHashKey& key, const PrefixRoot& root);
// Hash of a past with one more block.
std::uint64_t ChainHash(const SipHashKey& key, std::uint64_t past,
                        std::span<const std::int32_t> tokens);

// Not thread-safe. The caller keeps two promises, which CheckIntegrity verifies in the scheduler:
// who refers to a cached block refers to its parent, and releases it no later than the parent.
// Then, with eviction in the order of release, a child is always erased before its parent.
class PrefixCache {
 public:
  PrefixCache(int block_count, int block_size);

  std::optional<BlockId> Find(const PrefixKey& key) const;
  // REQUIRES: Find(key) is nothing, `block` has no entry, key.parent has one.
  void Insert(const PrefixKey& key, BlockId block);
  // REQUIRES: `block` has an entry, and no entry has it as its parent.
  void Erase(BlockId block);

  int size() const { return static_cast<int>(blocks_by_hash_.size()); }
  bool Contains(BlockId block) const { return entries_[block.value()].has_value(); }
  // REQUIRES: Contains(block).
  std::optional<BlockId> parent(BlockId block) const;
  std::span<const std::int32_t> tokens(BlockId block) const;  // [block_size]

 private:
  struct Entry {
    std::uint64_t hash = 0;
    std::optional<BlockId> parent;
    PrefixRoot root;   // of a first block; later ones have it from their parent
    int children = 0;  // entries whose parent this is
  };

  bool Matches(BlockId block, const PrefixKey& key) const;

  const int block_size_;
  std::vector<std::optional<Entry>> entries_;  // [block_count]
  std::vector<std::int32_t> tokens_;           // [block_count, block_size]
  std::unordered_multimap<std::uint64_t, BlockId> blocks_by_hash_;
};

}  // namespace engram
