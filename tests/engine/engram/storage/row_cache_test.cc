// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/row_cache.h"

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

constexpr std::size_t kRowBytes = 40;

// A row's bytes tell which row it is.
std::vector<std::byte> RowOf(std::int64_t row) {
  std::mt19937_64 random(static_cast<std::uint64_t>(row));
  std::vector<std::byte> bytes(kRowBytes);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

RowCache Make(std::size_t bytes) {
  auto cache = RowCache::Make(bytes, kRowBytes);
  EXPECT_TRUE(cache.ok()) << cache.status();
  return *std::move(cache);
}

bool FindsRight(RowCache* cache, std::int64_t row) {
  std::vector<std::byte> out(kRowBytes);
  if (!cache->Find(row, out.data())) return false;
  EXPECT_EQ(out, RowOf(row)) << row;
  return true;
}

TEST(RowCacheTest, FindsWhatWasPutIn) {
  RowCache cache = Make(1 << 20);
  EXPECT_FALSE(FindsRight(&cache, 7));
  cache.Insert(7, RowOf(7).data());
  EXPECT_TRUE(FindsRight(&cache, 7));
  EXPECT_TRUE(cache.Contains(7));
  EXPECT_FALSE(cache.Contains(8));
  cache.Insert(7, RowOf(8).data());  // here already
  EXPECT_TRUE(FindsRight(&cache, 7));
}

TEST(RowCacheTest, HoldsWhatItsBytesHoldAndNoMore) {
  for (const std::size_t bytes : {std::size_t{1000}, std::size_t{100'000}, std::size_t{1 << 20}}) {
    RowCache cache = Make(bytes);
    EXPECT_LE(RowCache::BytesFor(cache.capacity(), kRowBytes), bytes);
    EXPECT_GT(RowCache::BytesFor(cache.capacity() + 8, kRowBytes), bytes);
    const auto rows = static_cast<std::int64_t>(4 * cache.capacity());
    for (std::int64_t row = 0; row < rows; ++row) cache.Insert(row, RowOf(row).data());
    std::size_t found = 0;
    for (std::int64_t row = 0; row < rows; ++row) found += FindsRight(&cache, row);
    EXPECT_LE(found, cache.capacity());
    EXPECT_GT(found, cache.capacity() * 3 / 4) << "all sets are used";
  }
}

TEST(RowCacheTest, TooSmallForASetHoldsNothing) {
  RowCache cache = Make(100);
  EXPECT_EQ(cache.capacity(), 0u);
  cache.Insert(1, RowOf(1).data());
  EXPECT_FALSE(FindsRight(&cache, 1));
  EXPECT_FALSE(cache.Contains(1));
}

TEST(RowCacheTest, WhatIsWantedAgainStays) {
  RowCache cache = Make(RowCache::BytesFor(8, kRowBytes));
  ASSERT_EQ(cache.capacity(), 8u);
  cache.Insert(1000, RowOf(1000).data());
  for (std::int64_t row = 0; row < 200; ++row) {
    cache.Insert(row, RowOf(row).data());
    EXPECT_TRUE(FindsRight(&cache, 1000)) << "after " << row;
    EXPECT_TRUE(cache.Contains(row));
  }
}

TEST(RowCacheTest, ManyThreadsNeverSeeAMixedRow) {
  RowCache cache = Make(20'000);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 20'000; ++i) {
        const auto row = static_cast<std::int64_t>(random() % 1000);
        if (!FindsRight(&cache, row)) cache.Insert(row, RowOf(row).data());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace engram
