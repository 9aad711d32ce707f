// SPDX-License-Identifier: Apache-2.0
// Many random steps: ahead and at the layer must give the bytes that the definition gives, with any
// number of workers, in any order of layers, after steps that were given up. Run it under tsan.
#include "engine/engram/engram_prefetcher.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "engine/engram/engram_table.h"
#include "engine/step_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/random_steps.h"

namespace engram {
namespace {

using testing_support::EngramWorld;
using testing_support::MakeRandomStep;
using testing_support::MakeWorld;
using testing_support::MapTables;
using testing_support::Pointers;
using testing_support::RandomStep;
using testing_support::RowsOfStep;

constexpr int kLayers = 3;

// A table that looks on: what it was asked for, in which order, and, while it is shut, nothing
// comes.
class WatchedTable final : public EngramTable {
 public:
  WatchedTable(const EngramTable* table, int layer, std::vector<int>* layers_asked,
               std::mutex* mutex)
      : table_(table), layer_(layer), layers_asked_(layers_asked), mutex_(mutex) {}

  std::int64_t rows() const override { return table_->rows(); }
  const EngramRowFormat& format() const override { return table_->format(); }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override {
    {
      std::lock_guard lock(*mutex_);
      layers_asked_->push_back(layer_);
    }
    while (shut) std::this_thread::sleep_for(std::chrono::microseconds(50));
    EXPECT_TRUE(std::is_sorted(copies.begin(), copies.end(), [](RowCopy a, RowCopy b) {
      return a.row < b.row;
    })) << "the prefetcher promises ascending rows";
    return table_->Gather(copies, out);
  }
  EngramTableStats stats() const override { return table_->stats(); }

  std::atomic<bool> shut{false};

 private:
  const EngramTable* table_;
  const int layer_;
  std::vector<int>* layers_asked_;
  std::mutex* mutex_;
};

struct WatchedTables {
  explicit WatchedTables(const EngramWorld& world) : mapped(MapTables(world)) {
    for (int i = 0; i < kLayers; ++i) {
      tables.push_back(std::make_unique<WatchedTable>(mapped[i].get(), i, &layers_asked, &mutex));
    }
  }

  std::vector<const EngramTable*> pointers() const {
    std::vector<const EngramTable*> out;
    for (const auto& table : tables) out.push_back(table.get());
    return out;
  }

  std::vector<std::unique_ptr<EngramTable>> mapped;
  std::mutex mutex;
  std::vector<int> layers_asked;  // protected by mutex
  std::vector<std::unique_ptr<WatchedTable>> tables;
};

void ExpectRows(EngramPrefetcher* prefetcher, const EngramWorld& world, const RandomStep& step,
                int layer) {
  const std::vector<std::byte> expected = RowsOfStep(world, step, layer);
  const std::byte* rows = prefetcher->Rows(layer);
  EXPECT_EQ(std::memcmp(rows, expected.data(), expected.size()), 0)
      << "layer " << layer << ", " << step.plan.token_ids.size() << " rows";
}

struct Case {
  const char* name;
  EngramPrefetchMode mode;
  int workers;
};

class EngramPrefetcherTest : public testing::TestWithParam<Case> {
 protected:
  EngramPrefetcherOptions Options(int rows_max) const {
    return {.mode = GetParam().mode, .workers = GetParam().workers, .rows_max = rows_max};
  }
};

TEST_P(EngramPrefetcherTest, RowsOfRandomStepsAreThoseOfTheDefinition) {
  for (const int max_ngram_size : {2, 3, 4}) {
    const EngramWorld world = MakeWorld(max_ngram_size);
    const auto tables = MapTables(world);
    // Steps from one row (one job does all lookups) to more than a job holds (a job per lookup).
    for (const int rows_max : {1, 5, 70, 1500}) {
      EngramPrefetcher prefetcher(world.config, world.token_map, Pointers(tables),
                                  Options(rows_max));
      std::mt19937 random(rows_max * 10 + max_ngram_size);
      for (int i = 0; i < (rows_max > 100 ? 6 : 40); ++i) {
        const RandomStep step = MakeRandomStep(rows_max, max_ngram_size, &random);
        prefetcher.Start(step.plan);
        std::vector<int> layers = {0, 1, 2};
        if (i % 3 == 1) std::shuffle(layers.begin(), layers.end(), random);
        // Some steps are given up before, between or after the layers.
        if (i % 3 == 2) layers.resize(random() % 3);
        for (const int layer : layers) ExpectRows(&prefetcher, world, step, layer);
      }
    }
  }
}

TEST_P(EngramPrefetcherTest, RowsStayUntilTheNextStart) {
  const EngramWorld world = MakeWorld(3);
  const auto tables = MapTables(world);
  EngramPrefetcher prefetcher(world.config, world.token_map, Pointers(tables), Options(64));
  std::mt19937 random(4);
  const RandomStep step = MakeRandomStep(64, 3, &random);
  prefetcher.Start(step.plan);
  const std::byte* first = prefetcher.Rows(0);
  prefetcher.Rows(2);
  prefetcher.Rows(1);
  EXPECT_EQ(prefetcher.Rows(0), first);
  ExpectRows(&prefetcher, world, step, 0);
}

TEST_P(EngramPrefetcherTest, ThePlanMayDieAfterStart) {
  const EngramWorld world = MakeWorld(3);
  const auto tables = MapTables(world);
  EngramPrefetcher prefetcher(world.config, world.token_map, Pointers(tables), Options(300));
  std::mt19937 random(5);
  RandomStep step = MakeRandomStep(300, 3, &random);
  {
    auto plan = std::make_unique<StepPlan>(step.plan);
    prefetcher.Start(*plan);
    std::fill(plan->token_ids.begin(), plan->token_ids.end(), 0);
    plan->slices.clear();
  }
  for (int layer = 0; layer < kLayers; ++layer) ExpectRows(&prefetcher, world, step, layer);
}

TEST_P(EngramPrefetcherTest, CountsWhatItFetched) {
  const EngramWorld world = MakeWorld(3);
  const auto tables = MapTables(world);
  EngramPrefetcher prefetcher(world.config, world.token_map, Pointers(tables), Options(8));
  StepPlan plan;
  plan.token_ids = {5, 5, 5, 5, 5, 6, 6, 6};
  plan.slices.resize(2);
  plan.slices[0].row_count = 5;
  plan.slices[1].first_row = 5;
  plan.slices[1].row_count = 3;
  plan.slices[1].engram_enabled = false;
  prefetcher.Start(plan);
  for (int layer = 0; layer < kLayers; ++layer) prefetcher.Rows(layer);
  const EngramPrefetchStats stats = prefetcher.stats();
  EXPECT_EQ(stats.steps, 1u);
  EXPECT_EQ(stats.lookups, 5u * 8 * kLayers);
  // Of "5 5 5 5 5" the bigrams are (pad 5), (5 5) four times; the trigrams (pad pad 5), (pad 5 5)
  // and (5 5 5) three times: per head and layer 2 and 3 different rows, or fewer if hashes collide.
  EXPECT_LE(stats.rows, (2u + 3u) * 4 * kLayers);
  EXPECT_GE(stats.rows, (2u + 3u) * 4 * kLayers - 2);
  EXPECT_EQ(stats.bytes, stats.rows * 18);
  EXPECT_GT(stats.gather_ns, 0u);
  std::uint64_t rows = 0;
  for (int layer = 0; layer < kLayers; ++layer) {
    EXPECT_EQ(prefetcher.layer_stats(layer).steps, 1u);
    EXPECT_EQ(prefetcher.layer_stats(layer).lookups, 5u * 8);
    rows += prefetcher.layer_stats(layer).rows;
  }
  EXPECT_EQ(rows, stats.rows);
}

// A table whose disk has a bad spot: rows [first, last) cannot be read.
class DamagedTable final : public EngramTable {
 public:
  DamagedTable(const EngramTable* table, std::int64_t first, std::int64_t last)
      : table_(table), first_(first), last_(last) {}

  std::int64_t rows() const override { return table_->rows(); }
  const EngramRowFormat& format() const override { return table_->format(); }
  EngramTableStats stats() const override { return table_->stats(); }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override {
    for (const RowCopy& copy : copies) {
      if (Damaged(copy.row)) return absl::InternalError("row " + std::to_string(copy.row));
    }
    return table_->Gather(copies, out);
  }
  bool Damaged(std::int64_t row) const { return row >= first_ && row < last_; }

 private:
  const EngramTable* table_;
  const std::int64_t first_;
  const std::int64_t last_;
};

TEST_P(EngramPrefetcherTest, ABadSpotOnTheDiskTouchesOnlyTheRowsThatNeedIt) {
  const EngramWorld world = MakeWorld(3);
  const auto tables = MapTables(world);
  const std::int64_t rows = tables[1]->rows();
  const DamagedTable damaged(tables[1].get(), rows / 3, rows / 3 + rows / 50);
  EngramPrefetcher prefetcher(world.config, world.token_map,
                              {tables[0].get(), &damaged, tables[2].get()}, Options(60));
  std::mt19937 random(11);
  int failed_in_all = 0;
  for (int i = 0; i < 20; ++i) {
    const RandomStep step = MakeRandomStep(60, 3, &random);
    prefetcher.Start(step.plan);
    ExpectRows(&prefetcher, world, step, 0);
    const std::byte* layer = prefetcher.Rows(1);
    ExpectRows(&prefetcher, world, step, 2);
    std::set<int> failed;
    for (const StepRowFailure& failure : prefetcher.TakeFailures()) {
      EXPECT_THAT(failure.message, testing::StartsWith("row "));
      failed.insert(failure.step_row);
    }
    // What did not fail is right.
    const std::vector<std::byte> expected = RowsOfStep(world, step, 1);
    const std::size_t bytes = 8 * tables[1]->row_bytes();
    for (int row = 0; row < static_cast<int>(step.plan.token_ids.size()); ++row) {
      const bool same = std::memcmp(layer + row * bytes, expected.data() + row * bytes, bytes) == 0;
      EXPECT_EQ(same, !failed.contains(row)) << "step " << i << ", row " << row;
    }
    EXPECT_TRUE(prefetcher.TakeFailures().empty()) << "they were taken";
    failed_in_all += static_cast<int>(failed.size());
  }
  EXPECT_GT(failed_in_all, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Modes, EngramPrefetcherTest,
    testing::Values(Case{"AtLayer", EngramPrefetchMode::kAtLayer, 0},
                    Case{"AheadOneWorker", EngramPrefetchMode::kAhead, 1},
                    Case{"AheadThreeWorkers", EngramPrefetchMode::kAhead, 3}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

// Waits for the workers alone to finish a step.
void AwaitLookups(const EngramPrefetcher& prefetcher, std::uint64_t lookups) {
  while (prefetcher.stats().lookups < lookups) std::this_thread::yield();
}

TEST(EngramPrefetcherAheadTest, WorkersFinishAStepUnaskedEarlyLayersFirst) {
  const EngramWorld world = MakeWorld(3);
  WatchedTables watched(world);
  EngramPrefetcher prefetcher(world.config, world.token_map, watched.pointers(), {.rows_max = 600});
  std::mt19937 random(6);
  RandomStep step = MakeRandomStep(600, 3, &random);
  for (SequenceSlice& slice : step.plan.slices) slice.engram_enabled = true;
  prefetcher.Start(step.plan);
  AwaitLookups(prefetcher, step.plan.token_ids.size() * 8 * kLayers);
  std::lock_guard lock(watched.mutex);
  EXPECT_TRUE(std::is_sorted(watched.layers_asked.begin(), watched.layers_asked.end()));
  EXPECT_EQ(watched.layers_asked.back(), 2);
}

TEST(EngramPrefetcherAheadTest, AnEarlyLayerIsThereWhileALaterOneIsStillRead) {
  const EngramWorld world = MakeWorld(3);
  WatchedTables watched(world);
  watched.tables[2]->shut = true;
  EngramPrefetcher prefetcher(world.config, world.token_map, watched.pointers(), {.rows_max = 40});
  std::mt19937 random(7);
  const RandomStep step = MakeRandomStep(40, 3, &random);
  prefetcher.Start(step.plan);  // returns although a table is shut
  ExpectRows(&prefetcher, world, step, 0);
  ExpectRows(&prefetcher, world, step, 1);
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    watched.tables[2]->shut = false;
  });
  const std::uint64_t stall_before = prefetcher.stats().stall_ns;
  ExpectRows(&prefetcher, world, step, 2);
  EXPECT_GT(prefetcher.stats().stall_ns, stall_before);
  opener.join();
}

TEST(EngramPrefetcherAheadTest, StartDropsAStepWhoseReadIsUnderWay) {
  const EngramWorld world = MakeWorld(3);
  WatchedTables watched(world);
  EngramPrefetcher prefetcher(world.config, world.token_map, watched.pointers(),
                              {.workers = 2, .rows_max = 40});
  std::mt19937 random(8);
  for (int i = 0; i < 5; ++i) {
    watched.tables[0]->shut = true;
    const RandomStep given_up = MakeRandomStep(40, 3, &random);
    prefetcher.Start(given_up.plan);
    std::thread opener([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      watched.tables[0]->shut = false;
    });
    const RandomStep step = MakeRandomStep(40, 3, &random);
    prefetcher.Start(step.plan);
    for (int layer = 0; layer < kLayers; ++layer) ExpectRows(&prefetcher, world, step, layer);
    opener.join();
  }
}

TEST(EngramPrefetcherAheadTest, DiesCleanlyWithWorkPending) {
  const EngramWorld world = MakeWorld(3);
  WatchedTables watched(world);
  std::mt19937 random(9);
  for (int i = 0; i < 10; ++i) {
    watched.tables[i % kLayers]->shut = true;
    std::thread opener([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      watched.tables[i % kLayers]->shut = false;
    });
    {
      EngramPrefetcher prefetcher(world.config, world.token_map, watched.pointers(),
                                  {.workers = 1 + i % 3, .rows_max = 300});
      if (i % 4 != 0) prefetcher.Start(MakeRandomStep(300, 3, &random).plan);
    }
    opener.join();
  }
}

TEST(EngramPrefetcherDeathTest, WhatMustHoldIsChecked) {
  const EngramWorld world = MakeWorld(3);
  const auto tables = MapTables(world);
  const EngramPrefetcherOptions at_layer = {
      .mode = EngramPrefetchMode::kAtLayer, .workers = 0, .rows_max = 4};
  EXPECT_DEATH(EngramPrefetcher(world.config, world.token_map, {tables[0].get()}, at_layer),
               "tables.size");
  EXPECT_DEATH(EngramPrefetcher(world.config, world.token_map,
                                {tables[1].get(), tables[0].get(), tables[2].get()}, at_layer),
               "hasher.table_rows");
  EngramConfig config = world.config;
  config.compressed_vocab_size = 77;
  EXPECT_DEATH(EngramPrefetcher(config, world.token_map, Pointers(tables), at_layer),
               "engram_compressed_vocab_size is 77");

  EngramPrefetcher prefetcher(world.config, world.token_map, Pointers(tables), at_layer);
  EXPECT_DEATH(prefetcher.Rows(0), "started");
  std::mt19937 random(10);
  prefetcher.Start(MakeRandomStep(4, 3, &random).plan);
  EXPECT_DEATH(prefetcher.Rows(3), "layer_index");
}

}  // namespace
}  // namespace engram
