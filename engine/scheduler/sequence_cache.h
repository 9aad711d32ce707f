// SPDX-License-Identifier: Apache-2.0
// Gives sequences their blocks: matches a waiting one with the prefix cache, covers its tokens,
// grows a running one, shares blocks with forks, takes all back. Keeps the promises that
// PrefixCache asks for.
#pragma once

#include <vector>

#include "base/siphash.h"
#include "engine/options.h"
#include "engine/scheduler/block_pool.h"
#include "engine/scheduler/prefix_cache.h"
#include "engine/scheduler/sequence.h"

namespace engram {

// Not thread-safe.
class SequenceCache {
 public:
  explicit SequenceCache(const SchedulerOptions& options);
  SequenceCache(const SequenceCache&) = delete;
  SequenceCache& operator=(const SequenceCache&) = delete;

  // Blocks that hold `tokens` tokens.
  int BlocksFor(int tokens) const { return (tokens + block_size_ - 1) / block_size_; }
  // Tokens of a prompt that its forks share: its full blocks below the last token.
  int SharedPromptTokens(const Sequence& sequence) const {
    return (sequence.prompt_length() - 1) / block_size_ * block_size_;
  }

  // Leading blocks that a waiting sequence need not compute: those it shares as a fork, or else the
  // longest match there is now. Only block_hashes of `sequence` change.
  std::vector<BlockId> Match(Sequence* sequence) const;
  // Whether blocks for all of the sequence's tokens can be had and `spare_blocks` be left over.
  bool Fits(const Sequence& sequence, const std::vector<BlockId>& match, int spare_blocks) const;
  // REQUIRES: Fits(*sequence, match, 0); `match` was made since blocks last changed hands.
  void Assign(const std::vector<BlockId>& match, Sequence* sequence);

  // Makes room for the sequence's next token; false if no block is to be had.
  bool Grow(Sequence* sequence);
  // Lets the prefix cache know the blocks that have become full. Where it knows one with this
  // content already, the sequence goes on with that one and its own becomes free.
  void Register(Sequence* sequence);
  // Gives `to`, which has nothing, the full blocks of `from` that hold the shared part of the
  // prompt.
  void Fork(const Sequence& from, Sequence* to);
  // Takes the sequence's blocks back, last one first; nothing of it is computed then.
  void Release(Sequence* sequence);

  const BlockPool& pool() const { return pool_; }
  // CHECKs pool, prefix cache, and that `sequences`, all there are, account for every reference.
  void CheckIntegrity(const std::vector<const Sequence*>& sequences) const;

 private:
  // `sequence`'s block `index` as the prefix cache names it; fills the hash in where it is missing.
  // The tokens are copied to `tokens` [block_size].
  PrefixKey KeyOf(Sequence* sequence, int index, std::optional<BlockId> parent,
                  std::span<std::int32_t> tokens) const;
  void CheckCachedBlocks() const;

  const int block_size_;
  const bool enable_prefix_caching_;
  const SipHashKey hash_key_;
  PrefixCache prefix_cache_;
  BlockPool pool_;
};

}  // namespace engram
