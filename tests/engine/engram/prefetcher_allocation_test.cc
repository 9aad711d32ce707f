// SPDX-License-Identifier: Apache-2.0
// A step allocates nothing, on any thread: this binary's operator new counts.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>  // the operators replaced below
#include <random>
#include <vector>

#include "engine/engram/engram_prefetcher.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/random_steps.h"

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace engram {
namespace {

void ExpectNoAllocation(EngramPrefetcherOptions options) {
  const testing_support::EngramWorld world = testing_support::MakeWorld(3);
  const auto tables = testing_support::MapTables(world);
  std::mt19937 random(1);
  std::vector<testing_support::RandomStep> steps;
  for (int i = 0; i < 30; ++i) {
    testing_support::RandomStep& step =
        steps.emplace_back(testing_support::MakeRandomStep(options.rows_max, 3, &random));
    if (options.upcoming_tokens_max == 0) continue;
    step.plan.upcoming_ids.assign(options.upcoming_tokens_max, i);
    step.plan.upcoming.push_back({.sequence = SequenceId(i % 3),
                                  .token_count = options.upcoming_tokens_max});
  }
  EngramPrefetcher prefetcher(world.config, world.token_map,
                              testing_support::Pointers(tables), options);
  const std::uint64_t before = allocations;
  for (const testing_support::RandomStep& step : steps) {
    prefetcher.Start(step.plan);
    for (int layer = 0; layer < 3; ++layer) prefetcher.Rows(layer);
  }
  EXPECT_EQ(allocations - before, 0u) << "from the first step on";
  EXPECT_GT(prefetcher.stats().rows, 0u);
}

TEST(PrefetcherAllocationTest, AtLayer) {
  ExpectNoAllocation({.mode = EngramPrefetchMode::kAtLayer, .workers = 0, .rows_max = 1200});
}

TEST(PrefetcherAllocationTest, Ahead) {
  ExpectNoAllocation({.workers = 3, .rows_max = 1200, .upcoming_tokens_max = 700});
}

TEST(PrefetcherAllocationTest, TheCounterCounts) {
  const std::uint64_t before = allocations;
  std::vector<int> some(100);
  EXPECT_EQ(allocations - before, some.size() / 100);
}

}  // namespace
}  // namespace engram
