// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler/prefix_cache.h"

#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

constexpr SipHashKey kKey = {1, 2};
using Tokens = std::vector<std::int32_t>;

TEST(PrefixCache, FindsWhatWasInsertedUntilItIsErased) {
  PrefixCache cache(4, 2);
  const PrefixRoot root;
  const Tokens first = {5, 6};
  const Tokens second = {7, 8};
  const std::uint64_t first_hash = ChainHash(kKey, RootHash(kKey, root), first);
  const PrefixKey parent = {.hash = first_hash, .parent = {}, .root = &root, .tokens = first};
  const PrefixKey child = {.hash = ChainHash(kKey, first_hash, second),
                           .parent = BlockId(3),
                           .root = &root,
                           .tokens = second};
  EXPECT_FALSE(cache.Find(parent).has_value());
  cache.Insert(parent, BlockId(3));
  cache.Insert(child, BlockId(0));
  EXPECT_EQ(cache.Find(parent), BlockId(3));
  EXPECT_EQ(cache.Find(child), BlockId(0));
  EXPECT_EQ(cache.parent(BlockId(0)), BlockId(3));
  cache.Erase(BlockId(0));
  EXPECT_FALSE(cache.Find(child).has_value());
  EXPECT_EQ(cache.Find(parent), BlockId(3));
  EXPECT_EQ(cache.size(), 1);
}

// An attacker who could make hashes collide still gets nobody's keys but his own.
TEST(PrefixCache, EqualHashesDoNotMakeAHit) {
  PrefixCache cache(8, 2);
  const PrefixRoot root;
  const PrefixRoot salted = {.cache_salt = "tenant", .engram_enabled = true};
  const PrefixRoot without_memory = {.cache_salt = "", .engram_enabled = false};
  const Tokens tokens = {5, 6};
  const Tokens others = {5, 7};
  const PrefixKey known = {.hash = 42, .parent = {}, .root = &root, .tokens = tokens};
  cache.Insert(known, BlockId(1));

  PrefixKey other_tokens = known;
  other_tokens.tokens = others;
  EXPECT_FALSE(cache.Find(other_tokens).has_value());
  PrefixKey other_salt = known;
  other_salt.root = &salted;
  EXPECT_FALSE(cache.Find(other_salt).has_value());
  PrefixKey other_memory = known;
  other_memory.root = &without_memory;
  EXPECT_FALSE(cache.Find(other_memory).has_value());
  PrefixKey other_parent = known;
  other_parent.parent = BlockId(1);
  EXPECT_FALSE(cache.Find(other_parent).has_value());

  // All of them can be cached side by side.
  cache.Insert(other_tokens, BlockId(2));
  cache.Insert(other_salt, BlockId(3));
  cache.Insert(other_memory, BlockId(4));
  cache.Insert(other_parent, BlockId(5));
  EXPECT_EQ(cache.Find(known), BlockId(1));
  EXPECT_EQ(cache.Find(other_tokens), BlockId(2));
  EXPECT_EQ(cache.Find(other_salt), BlockId(3));
  EXPECT_EQ(cache.Find(other_memory), BlockId(4));
  EXPECT_EQ(cache.Find(other_parent), BlockId(5));
}

TEST(PrefixCache, TheHashDependsOnAllOfThePast) {
  const Tokens tokens = {5, 6};
  std::set<std::uint64_t> hashes;
  for (const SipHashKey& key : {SipHashKey{1, 2}, SipHashKey{1, 3}}) {
    for (const std::string salt : {"", "a", "b"}) {
      for (const bool engram_enabled : {true, false}) {
        const std::uint64_t root =
            RootHash(key, {.cache_salt = salt, .engram_enabled = engram_enabled});
        hashes.insert(ChainHash(key, root, tokens));
        hashes.insert(ChainHash(key, ChainHash(key, root, tokens), tokens));
      }
    }
  }
  EXPECT_EQ(hashes.size(), 2u * 3u * 2u * 2u);
}

TEST(PrefixCacheDeathTest, AParentIsNotErasedBeforeItsChild) {
  PrefixCache cache(2, 1);
  const PrefixRoot root;
  const Tokens token = {1};
  cache.Insert({.hash = 1, .parent = {}, .root = &root, .tokens = token}, BlockId(0));
  cache.Insert({.hash = 2, .parent = BlockId(0), .root = &root, .tokens = token}, BlockId(1));
  EXPECT_DEATH(cache.Erase(BlockId(0)), "children");
}

}  // namespace
}  // namespace engram
