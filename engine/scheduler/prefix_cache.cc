// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler/prefix_cache.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "config/limits.h"

namespace engram {

std::uint64_t RootHash(const SipHashKey& key, const PrefixRoot& root) {
  // The flag's byte comes first, so no salt can imitate it.
  std::string bytes(1, root.engram_enabled ? '\1' : '\0');
  bytes += root.cache_salt;
  return SipHash(key, std::as_bytes(std::span(bytes)));
}

std::uint64_t ChainHash(const SipHashKey& key, std::uint64_t past,
                        std::span<const std::int32_t> tokens) {
  constexpr std::size_t kPastWords = sizeof(past) / sizeof(std::int32_t);
  CHECK_LE(tokens.size(), static_cast<std::size_t>(limits::kBlockSizeMax));
  std::array<std::int32_t, kPastWords + limits::kBlockSizeMax> message;
  std::memcpy(message.data(), &past, sizeof(past));
  std::ranges::copy(tokens, message.begin() + kPastWords);
  return SipHash(key, std::as_bytes(std::span(message).first(kPastWords + tokens.size())));
}

PrefixCache::PrefixCache(int block_count, int block_size)
    : block_size_(block_size),
      entries_(block_count),
      tokens_(static_cast<std::size_t>(block_count) * block_size) {
  blocks_by_hash_.reserve(block_count);
}

bool PrefixCache::Matches(BlockId block, const PrefixKey& key) const {
  const Entry& entry = *entries_[block.value()];
  return entry.parent == key.parent && (key.parent.has_value() || entry.root == *key.root) &&
         std::ranges::equal(tokens(block), key.tokens);
}

std::optional<BlockId> PrefixCache::Find(const PrefixKey& key) const {
  const auto [begin, end] = blocks_by_hash_.equal_range(key.hash);
  for (auto it = begin; it != end; ++it) {
    if (Matches(it->second, key)) return it->second;
  }
  return std::nullopt;
}

void PrefixCache::Insert(const PrefixKey& key, BlockId block) {
  CHECK(!Find(key).has_value());
  CHECK(!Contains(block));
  CHECK_EQ(static_cast<int>(key.tokens.size()), block_size_);
  if (key.parent.has_value()) {
    CHECK(Contains(*key.parent));
    ++entries_[key.parent->value()]->children;
  }
  entries_[block.value()] = Entry{
      .hash = key.hash,
      .parent = key.parent,
      .root = key.parent.has_value() ? PrefixRoot{} : *key.root,
  };
  std::ranges::copy(key.tokens,
                    tokens_.begin() + static_cast<std::ptrdiff_t>(block.value()) * block_size_);
  blocks_by_hash_.emplace(key.hash, block);
}

void PrefixCache::Erase(BlockId block) {
  CHECK(Contains(block));
  Entry& entry = *entries_[block.value()];
  CHECK_EQ(entry.children, 0);
  if (entry.parent.has_value()) --entries_[entry.parent->value()]->children;
  const auto [begin, end] = blocks_by_hash_.equal_range(entry.hash);
  blocks_by_hash_.erase(
      std::find_if(begin, end, [block](const auto& e) { return e.second == block; }));
  entries_[block.value()].reset();
}

std::optional<BlockId> PrefixCache::parent(BlockId block) const {
  CHECK(Contains(block));
  return entries_[block.value()]->parent;
}

std::span<const std::int32_t> PrefixCache::tokens(BlockId block) const {
  CHECK(Contains(block));
  return std::span(tokens_).subspan(static_cast<std::size_t>(block.value()) * block_size_,
                                    block_size_);
}

}  // namespace engram
