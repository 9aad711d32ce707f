// SPDX-License-Identifier: Apache-2.0
// Tables are told of the rows that the definition of the hash gives for the listed tokens: each
// token once, the present step's jobs first, nothing of what was taken off the list.
#include "engine/engram/read_ahead.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <span>
#include <thread>
#include <vector>

#include "base/check.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/random_steps.h"
#include "tests/engine/engram/reference.h"

namespace engram {
namespace {

using testing_support::EngramWorld;
using testing_support::MakeWorld;

constexpr int kMaxNgramSize = 3;

// Notes what it is told; while shut, a hint does not return.
class ToldTable final : public EngramTable {
 public:
  explicit ToldTable(std::int64_t rows, int head_dim)
      : rows_(rows), format_({.dtype = DType::kBF16, .head_dim = head_dim}) {}
  std::int64_t rows() const override { return rows_; }
  const EngramRowFormat& format() const override { return format_; }
  EngramTableStats stats() const override { return {}; }
  absl::Status Gather(std::span<const RowCopy>, RowSink) const override {
    CHECK(false);
    return absl::OkStatus();
  }
  void Prefetch(std::span<const std::int64_t> rows) const override {
    EXPECT_TRUE(std::ranges::is_sorted(rows));
    EXPECT_EQ(std::ranges::adjacent_find(rows), rows.end()) << "equal rows once";
    while (shut) std::this_thread::sleep_for(std::chrono::microseconds(50));
    std::lock_guard lock(mutex_);
    told_.insert(told_.end(), rows.begin(), rows.end());
  }
  std::vector<std::int64_t> told() const {
    std::lock_guard lock(mutex_);
    return told_;
  }

  std::atomic<bool> shut{false};

 private:
  const std::int64_t rows_;
  const EngramRowFormat format_;
  mutable std::mutex mutex_;
  mutable std::vector<std::int64_t> told_;  // protected by mutex_
};

std::vector<std::int32_t> RandomTokens(int count, int seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> tokens(count);
  for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random() % 300);
  return tokens;
}

class ReadAheadTest : public testing::Test {
 protected:
  ReadAheadTest() {
    for (const EngramTableLayout& layout : world_.layouts) {
      tables_.push_back(std::make_unique<ToldTable>(layout.rows, world_.config.head_dim));
    }
    read_ahead_ = std::make_unique<ReadAhead>(&hasher_, pointers(), &board_, 500);
  }
  ~ReadAheadTest() override {
    for (const auto& table : tables_) table->shut = false;
    board_.Close();
  }

  std::vector<const EngramTable*> pointers() const {
    std::vector<const EngramTable*> out;
    for (const auto& table : tables_) out.push_back(table.get());
    return out;
  }

  // Lists positions [start, end) of a sequence with these tokens.
  void List(StepPlan* plan, int sequence, const std::vector<std::int32_t>& tokens, int start,
            int end) const {
    UpcomingTokens upcoming = {.sequence = SequenceId(sequence),
                               .start_position = start,
                               .first_token = static_cast<int>(plan->upcoming_ids.size()),
                               .lookback_count = std::min(start, kMaxNgramSize - 1),
                               .token_count = end - start};
    plan->upcoming_ids.insert(plan->upcoming_ids.end(),
                              tokens.begin() + start - upcoming.lookback_count,
                              tokens.begin() + end);
    plan->upcoming.push_back(upcoming);
  }

  std::set<std::int64_t> Expected(int layer, const std::vector<std::int32_t>& tokens, int start,
                                  int end) const {
    const EngramConfig& config = world_.config;
    const std::vector<std::int64_t> rows = testing_support::RowsByDefinition(
        config, world_.token_map, world_.layouts[layer].primes,
        MakeHashMultipliers(config.seed, config.layer_ids[layer],
                            world_.token_map.compressed_size(), config.max_ngram_size),
        std::vector<std::int32_t>(tokens.begin(), tokens.begin() + end));
    return {rows.begin() + static_cast<std::ptrdiff_t>(start) * config.lookups(), rows.end()};
  }

  // Waits until the last layer has been told of all of `expected`.
  void Await(const std::set<std::int64_t>& expected) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (;;) {
      const std::vector<std::int64_t> told = tables_.back()->told();
      const std::set<std::int64_t> distinct(told.begin(), told.end());
      if (std::ranges::includes(distinct, expected)) return;
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  const EngramWorld world_ = MakeWorld(kMaxNgramSize);
  const NgramHasher hasher_ = *NgramHasher::Create(world_.config, world_.token_map);
  std::vector<std::unique_ptr<ToldTable>> tables_;
  JobBoard board_{3};
  std::unique_ptr<ReadAhead> read_ahead_;
};

TEST_F(ReadAheadTest, EveryTableIsToldTheRowsOfTheDefinition) {
  const std::vector<std::int32_t> first = RandomTokens(90, 1);
  const std::vector<std::int32_t> second = RandomTokens(40, 2);
  StepPlan plan;
  List(&plan, 7, first, 33, 90);
  List(&plan, 3, second, 0, 25);
  read_ahead_->Update(plan);
  Await(Expected(2, first, 33, 90));
  Await(Expected(2, second, 0, 25));
  for (int layer = 0; layer < 3; ++layer) {
    std::set<std::int64_t> expected = Expected(layer, first, 33, 90);
    expected.merge(Expected(layer, second, 0, 25));
    const std::vector<std::int64_t> told = tables_[layer]->told();
    EXPECT_EQ(std::set<std::int64_t>(told.begin(), told.end()), expected) << "layer " << layer;
  }
}

TEST_F(ReadAheadTest, WhatWasToldIsNotToldAgain) {
  const std::vector<std::int32_t> tokens = RandomTokens(80, 3);
  StepPlan plan;
  List(&plan, 1, tokens, 0, 48);
  read_ahead_->Update(plan);
  Await(Expected(2, tokens, 0, 48));
  const std::vector<std::int64_t> before = tables_[2]->told();
  StepPlan next;  // sixteen of them were computed meanwhile, and more is in sight
  List(&next, 1, tokens, 16, 80);
  read_ahead_->Update(next);
  Await(Expected(2, tokens, 48, 80));
  const std::vector<std::int64_t> told = tables_[2]->told();
  const std::set<std::int64_t> fresh(told.begin() + static_cast<std::ptrdiff_t>(before.size()),
                                     told.end());
  EXPECT_EQ(fresh, Expected(2, tokens, 48, 80));
}

TEST_F(ReadAheadTest, WhatIsTakenOffTheListIsDropped) {
  const std::vector<std::int32_t> cancelled = RandomTokens(400, 4);
  const std::vector<std::int32_t> other = RandomTokens(20, 5);
  tables_[0]->shut = true;
  StepPlan plan;
  List(&plan, 1, cancelled, 0, 400);
  read_ahead_->Update(plan);
  StepPlan next;
  List(&next, 2, other, 0, 20);
  read_ahead_->Update(next);
  tables_[0]->shut = false;
  Await(Expected(2, other, 0, 20));
  // At most the piece that was under way.
  const std::vector<std::int64_t> told = tables_[2]->told();
  std::set<std::int64_t> allowed = Expected(2, other, 0, 20);
  allowed.merge(Expected(2, cancelled, 0, ReadAhead::kTokensPerPiece));
  for (const std::int64_t row : told) EXPECT_TRUE(allowed.contains(row));
}

TEST_F(ReadAheadTest, ThePresentStepGoesFirst) {
  const std::vector<std::int32_t> tokens = RandomTokens(20, 6);
  board_.Post(1);
  StepPlan plan;
  List(&plan, 1, tokens, 0, 20);
  read_ahead_->Update(plan);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_THAT(tables_[0]->told(), testing::IsEmpty());
  for (int layer = 0; layer < 3; ++layer) board_.Finish(*board_.TryTake(layer));
  Await(Expected(2, tokens, 0, 20));
}

// A slice of positions [start, end) of a sequence, in the plan's next rows, whose last row samples.
void AddSampling(StepPlan* plan, const std::vector<std::int32_t>& tokens, int start, int end) {
  SequenceSlice slice;
  slice.first_row = static_cast<int>(plan->token_ids.size());
  slice.row_count = end - start;
  slice.start_position = start;
  slice.lookback_count = std::min(start, kMaxNgramSize - 1);
  std::copy_n(tokens.begin() + start - slice.lookback_count, slice.lookback_count,
              slice.lookback.begin());
  plan->token_ids.insert(plan->token_ids.end(), tokens.begin() + start, tokens.begin() + end);
  SampleRow& sample = plan->samples.emplace_back();
  sample.slice = static_cast<int>(plan->slices.size());
  sample.row = slice.first_row + slice.row_count - 1;
  plan->slices.push_back(slice);
}

TEST_F(ReadAheadTest, TablesAreToldOfWhatWasSampledBeforeWhatIsListed) {
  // The last token of each is what the step samples: of a whole short prompt, of a chunk, of a
  // decode, of a prompt of one token, and of one whose memory is off.
  const std::vector<std::vector<std::int32_t>> sequences = {
      RandomTokens(8, 10), RandomTokens(31, 11), RandomTokens(12, 12), RandomTokens(2, 13),
      RandomTokens(9, 14)};
  StepPlan plan;
  AddSampling(&plan, sequences[0], 0, 7);
  AddSampling(&plan, sequences[1], 20, 30);
  AddSampling(&plan, sequences[2], 10, 11);
  AddSampling(&plan, sequences[3], 0, 1);
  AddSampling(&plan, sequences[4], 7, 8);
  plan.slices[4].engram_enabled = false;
  const std::vector<std::int32_t> listed = RandomTokens(60, 15);
  List(&plan, 9, listed, 0, 60);
  board_.Post(1);  // holds the list back
  read_ahead_->Update(plan);
  std::vector<TokenResult> sampled(5);
  for (int i = 0; i < 5; ++i) sampled[i].token = sequences[i].back();
  read_ahead_->Sampled(plan, sampled);
  for (int layer = 0; layer < 3; ++layer) board_.Finish(*board_.TryTake(layer));

  std::set<std::int64_t> expected;
  for (int i = 0; i < 4; ++i) {
    const int length = static_cast<int>(sequences[i].size());
    expected.merge(Expected(0, sequences[i], length - 1, length));
  }
  Await(Expected(2, listed, 0, 60));
  const std::vector<std::int64_t> told = tables_[0]->told();
  EXPECT_EQ(std::set<std::int64_t>(told.begin(),
                                   told.begin() + static_cast<std::ptrdiff_t>(expected.size())),
            expected);
}

TEST_F(ReadAheadTest, WhatWasSampledIsForgottenWhenItsStepBegins) {
  const std::vector<std::int32_t> tokens = RandomTokens(12, 16);
  StepPlan plan;
  AddSampling(&plan, tokens, 10, 11);
  std::vector<TokenResult> sampled(1);
  sampled[0].token = tokens.back();
  board_.Post(1);
  read_ahead_->Sampled(plan, sampled);
  StepPlan next;
  const std::vector<std::int32_t> listed = RandomTokens(5, 17);
  List(&next, 9, listed, 0, 5);
  read_ahead_->Update(next);
  for (int layer = 0; layer < 3; ++layer) board_.Finish(*board_.TryTake(layer));
  Await(Expected(2, listed, 0, 5));
  const std::vector<std::int64_t> told = tables_[0]->told();
  EXPECT_EQ(std::set<std::int64_t>(told.begin(), told.end()), Expected(0, listed, 0, 5));
}

TEST_F(ReadAheadTest, EndsWithWorkLeft) {
  StepPlan plan;
  List(&plan, 1, RandomTokens(500, 7), 0, 500);
  read_ahead_->Update(plan);
  board_.Close();
  read_ahead_.reset();
}

}  // namespace
}  // namespace engram
