// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler/sequence_cache.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "config/limits.h"

namespace engram {
namespace {

using BlockTokens = std::array<std::int32_t, limits::kBlockSizeMax>;

}  // namespace

SequenceCache::SequenceCache(const SchedulerOptions& options)
    : block_size_(options.block_size),
      enable_prefix_caching_(options.enable_prefix_caching),
      hash_key_{options.prefix_hash_key[0], options.prefix_hash_key[1]},
      prefix_cache_(options.block_count, options.block_size),
      pool_(options.block_count, [this](BlockId block) { prefix_cache_.Erase(block); }) {}

PrefixKey SequenceCache::KeyOf(Sequence* sequence, int index, std::optional<BlockId> parent,
                               std::span<std::int32_t> tokens) const {
  sequence->CopyTokens(index * block_size_, tokens);
  std::vector<std::uint64_t>& hashes = sequence->block_hashes;
  const PrefixRoot& root = sequence->request->prefix_root;
  CHECK_LE(index, static_cast<int>(hashes.size()));
  if (index == static_cast<int>(hashes.size())) {
    const std::uint64_t past = index == 0 ? RootHash(hash_key_, root) : hashes[index - 1];
    hashes.push_back(ChainHash(hash_key_, past, tokens));
  }
  return {.hash = hashes[index], .parent = parent, .root = &root, .tokens = tokens};
}

std::vector<BlockId> SequenceCache::Match(Sequence* sequence) const {
  CHECK(sequence->state == SequenceState::kWaiting);
  if (!sequence->blocks.empty()) return sequence->blocks;
  if (!enable_prefix_caching_) return {};

  std::vector<BlockId> match;
  const int blocks_max = sequence->cacheable_tokens() / block_size_;
  BlockTokens buffer;
  const std::span<std::int32_t> tokens = std::span(buffer).first(block_size_);
  std::optional<BlockId> parent;
  for (int i = 0; i < blocks_max; ++i) {
    const std::optional<BlockId> found = prefix_cache_.Find(KeyOf(sequence, i, parent, tokens));
    if (!found.has_value()) break;
    match.push_back(*found);
    parent = found;
  }
  return match;
}

bool SequenceCache::Fits(const Sequence& sequence, const std::vector<BlockId>& match,
                         int spare_blocks) const {
  const int matched = static_cast<int>(match.size());
  // Matched blocks that nobody refers to are among the available ones, and are taken by the match.
  const auto revived = std::ranges::count_if(
      match, [this](BlockId block) { return pool_.reference_count(block) == 0; });
  const int wanted = BlocksFor(sequence.length()) - matched;
  return pool_.available_count() - static_cast<int>(revived) >= wanted + spare_blocks;
}

void SequenceCache::Assign(const std::vector<BlockId>& match, Sequence* sequence) {
  CHECK(Fits(*sequence, match, 0));
  if (sequence->blocks.empty()) {
    for (const BlockId block : match) pool_.AddReference(block);
    sequence->registered_blocks = static_cast<int>(match.size());
    sequence->blocks = match;
  }
  CHECK(sequence->blocks == match);
  sequence->computed_tokens = static_cast<int>(match.size()) * block_size_;
  while (static_cast<int>(sequence->blocks.size()) < BlocksFor(sequence->length())) {
    sequence->blocks.push_back(*pool_.Allocate());
  }
}

bool SequenceCache::Grow(Sequence* sequence) {
  const int held = static_cast<int>(sequence->blocks.size());
  if (BlocksFor(sequence->length()) <= held) return true;
  const std::optional<BlockId> block = pool_.Allocate();
  if (!block.has_value()) return false;
  sequence->blocks.push_back(*block);
  return true;
}

void SequenceCache::Register(Sequence* sequence) {
  if (!enable_prefix_caching_) return;
  BlockTokens buffer;
  const std::span<std::int32_t> tokens = std::span(buffer).first(block_size_);
  const int full_blocks = sequence->computed_tokens / block_size_;
  for (int& i = sequence->registered_blocks; i < full_blocks; ++i) {
    BlockId& block = sequence->blocks[i];
    std::optional<BlockId> parent;
    if (i > 0) parent = sequence->blocks[i - 1];
    const PrefixKey key = KeyOf(sequence, i, parent, tokens);
    if (const std::optional<BlockId> known = prefix_cache_.Find(key)) {
      pool_.AddReference(*known);
      pool_.Release(block);
      block = *known;
    } else {
      prefix_cache_.Insert(key, block);
      pool_.MarkCached(block);
    }
  }
}

void SequenceCache::Fork(const Sequence& from, Sequence* to) {
  CHECK(to->blocks.empty());
  const int tokens = SharedPromptTokens(from);
  CHECK_GE(from.computed_tokens, tokens);
  const int shared = tokens / block_size_;
  to->blocks.assign(from.blocks.begin(), from.blocks.begin() + shared);
  for (const BlockId block : to->blocks) pool_.AddReference(block);
  to->computed_tokens = tokens;
  to->registered_blocks = std::min(from.registered_blocks, shared);
  const int hashes = std::min(static_cast<int>(from.block_hashes.size()), shared);
  to->block_hashes.assign(from.block_hashes.begin(), from.block_hashes.begin() + hashes);
}

void SequenceCache::Release(Sequence* sequence) {
  for (auto it = sequence->blocks.rbegin(); it != sequence->blocks.rend(); ++it) pool_.Release(*it);
  sequence->blocks.clear();
  sequence->computed_tokens = 0;
  sequence->registered_blocks = 0;
}

void SequenceCache::CheckIntegrity(const std::vector<const Sequence*>& sequences) const {
  pool_.CheckIntegrity();
  CheckCachedBlocks();
  std::vector<int> references(pool_.block_count(), 0);
  std::vector<int> owners(pool_.block_count(), 0);  // who may still write into the block
  for (const Sequence* sequence : sequences) {
    const int full = sequence->computed_tokens / block_size_;
    CHECK_LE(full, static_cast<int>(sequence->blocks.size()));
    CHECK_LE(sequence->registered_blocks, full);
    if (enable_prefix_caching_) CHECK_EQ(sequence->registered_blocks, full);
    for (int i = 0; i < static_cast<int>(sequence->blocks.size()); ++i) {
      const BlockId block = sequence->blocks[i];
      ++references[block.value()];
      if (i >= full) ++owners[block.value()];
      CHECK_EQ(pool_.is_cached(block), i < sequence->registered_blocks);
      if (i >= sequence->registered_blocks) continue;
      BlockTokens buffer;
      const std::span<std::int32_t> tokens = std::span(buffer).first(block_size_);
      sequence->CopyTokens(i * block_size_, tokens);
      CHECK(std::ranges::equal(tokens, prefix_cache_.tokens(block)));
      const std::optional<BlockId> parent = prefix_cache_.parent(block);
      CHECK_EQ(parent.has_value(), i > 0);
      if (i > 0) CHECK_EQ(*parent, sequence->blocks[i - 1]);
    }
  }
  for (int i = 0; i < pool_.block_count(); ++i) {
    CHECK_EQ(references[i], pool_.reference_count(BlockId(i)));
    if (owners[i] > 0) CHECK_EQ(references[i], 1);
  }
}

void SequenceCache::CheckCachedBlocks() const {
  int cached = 0;
  for (int i = 0; i < pool_.block_count(); ++i) {
    const BlockId block(i);
    CHECK_EQ(pool_.is_cached(block), prefix_cache_.Contains(block));
    if (!pool_.is_cached(block)) continue;
    ++cached;
    const std::optional<BlockId> parent = prefix_cache_.parent(block);
    if (!parent.has_value()) continue;
    CHECK(prefix_cache_.Contains(*parent));
    if (pool_.reference_count(block) > 0) CHECK_GT(pool_.reference_count(*parent), 0);
  }
  CHECK_EQ(cached, prefix_cache_.size());
  // A child goes before its parent.
  std::vector<bool> gone(pool_.block_count(), false);
  for (const BlockId block : pool_.EvictionOrder()) {
    const std::optional<BlockId> parent = prefix_cache_.parent(block);
    if (parent.has_value()) CHECK(!gone[parent->value()]);
    gone[block.value()] = true;
  }
}

}  // namespace engram
