// SPDX-License-Identifier: Apache-2.0
// Who gets which blocks: prefix hits, forks, shortage and preemption.
#include <algorithm>
#include <set>

#include "gtest/gtest.h"
#include "tests/engine/scheduler/scheduler_harness.h"

namespace engram::testing_support {
namespace {

TEST(SchedulerCache, ASecondPromptStartsAfterTheBlocksItShares) {
  SchedulerHarness harness(SmallOptions());
  harness.Add(Params(Prompt(14), 3));
  harness.RunUntilIdle();
  const RequestKey again = harness.Add(Params(Prompt(14), 3));
  const StepPlan plan = *harness.Step();
  EXPECT_EQ(plan.slices[0].start_position, 12);
  EXPECT_EQ(plan.slices[0].row_count, 2);
  EXPECT_EQ(plan.slices[0].state_source, StateSource::kBlock);
  EXPECT_EQ(plan.slices[0].lookback[0], Prompt(14)[10]);
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(again));
  EXPECT_EQ(harness.result(again).prompt->cached_tokens, 12);
  EXPECT_EQ(harness.scheduler().stats().prefix_queried_tokens, 28u);
  EXPECT_EQ(harness.scheduler().stats().prefix_hit_tokens, 12u);
}

TEST(SchedulerCache, TheLastTokenIsComputedEvenIfAllBlocksAreKnown) {
  SchedulerHarness harness(SmallOptions());
  harness.Add(Params(Prompt(12), 5));
  harness.RunUntilIdle();
  const RequestKey again = harness.Add(Params(Prompt(12), 5));
  EXPECT_EQ(harness.Step()->slices[0].start_position, 8);
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(again));
}

TEST(SchedulerCache, WhatASequenceSampledCanBeHitToo) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey first = harness.Add(Params(Prompt(6), 12));
  harness.RunUntilIdle();
  std::vector<std::int32_t> next_turn = Prompt(6);
  for (const TokenResult& result : harness.result(first).tokens) next_turn.push_back(result.token);
  next_turn.push_back(9);
  const RequestKey second = harness.Add(Params(next_turn, 2));
  harness.RunUntilIdle();
  EXPECT_EQ(harness.result(second).prompt->cached_tokens, 16);
  EXPECT_TRUE(harness.Right(second));
}

TEST(SchedulerCache, SaltsAndRequestsWithoutMemoryDoNotShare) {
  SchedulerHarness harness(SmallOptions());
  std::vector<RequestKey> keys;
  for (const std::string salt : {"", "a", "b"}) {
    for (const bool engram_enabled : {true, false}) {
      RequestParams params = Params(Prompt(14), 3);
      params.cache_salt = salt;
      params.engram_enabled = engram_enabled;
      keys.push_back(harness.Add(std::move(params)));
      harness.RunUntilIdle();
    }
  }
  for (const RequestKey key : keys) {
    EXPECT_TRUE(harness.Right(key));
    EXPECT_EQ(harness.result(key).prompt->cached_tokens, 0);
  }
}

TEST(SchedulerCache, WhoWantsPromptRowsComputesThemAndLeavesThemForOthers) {
  SchedulerHarness harness(SmallOptions());
  harness.Add(Params(Prompt(14), 1));
  harness.RunUntilIdle();
  RequestParams scoring = Params(Prompt(14), 1);
  scoring.prompt_logprobs = 0;
  const RequestKey scored = harness.Add(std::move(scoring));
  RequestParams gating = Params(Prompt(15, 5), 1);
  gating.engram_gates = true;
  const RequestKey gated = harness.Add(std::move(gating));
  harness.RunUntilIdle();
  EXPECT_EQ(harness.result(scored).prompt->cached_tokens, 0);
  EXPECT_TRUE(harness.result(scored).prompt->tokens[13].logprob.has_value());
  EXPECT_EQ(harness.result(gated).prompt->cached_tokens, 0);
  const RequestKey reader = harness.Add(Params(Prompt(15, 5), 1));
  harness.RunUntilIdle();
  EXPECT_EQ(harness.result(reader).prompt->cached_tokens, 12);
}

// Two equal prompts in one step are both computed, but only one copy stays.
TEST(SchedulerCache, EqualBlocksComputedAtOnceBecomeOne) {
  SchedulerOptions options = SmallOptions();
  options.max_num_batched_tokens = 64;
  SchedulerHarness harness(options);
  const RequestKey first = harness.Add(Params(Prompt(17), 4));
  const RequestKey second = harness.Add(Params(Prompt(17), 4));
  harness.Step();
  EXPECT_EQ(harness.scheduler().stats().blocks_used, 4 + 1 + 1);
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(first));
  EXPECT_TRUE(harness.Right(second));
}

TEST(SchedulerCache, ForksShareThePromptsFullBlocksWithOrWithoutThePrefixCache) {
  for (const bool caching : {true, false}) {
    SchedulerOptions options = SmallOptions();
    options.enable_prefix_caching = caching;
    SchedulerHarness harness(options);
    const RequestKey key = harness.Add(ChoiceParams(Prompt(14), 6, 3));
    harness.Step();
    EXPECT_EQ(harness.scheduler().stats().blocks_used, 4);
    const StepPlan forked = *harness.Step();
    ASSERT_EQ(forked.slices.size(), 3u);
    for (const int slice : {1, 2}) {
      EXPECT_EQ(forked.slices[slice].start_position, 12);
      EXPECT_EQ(forked.slices[slice].row_count, 2);
      EXPECT_EQ(forked.slices[slice].state_source, StateSource::kBlock);
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(forked.block_ids[forked.slices[slice].first_block + i], forked.block_ids[i]);
      }
    }
    EXPECT_EQ(harness.scheduler().stats().blocks_used, 3 + 3);
    harness.RunUntilIdle();
    EXPECT_TRUE(harness.Right(key));
    // Each choice has a seed of its own.
    std::set<std::vector<std::int32_t>> answers;
    for (const int choice : {0, 1, 2}) {
      answers.insert(SchedulerHarness::TokensOf(harness.result(key, choice).tokens));
    }
    EXPECT_EQ(answers.size(), 3u);
  }
}

TEST(SchedulerCache, ChoiceZeroIsWhatNEqualsOneGives) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey alone = harness.Add(ChoiceParams(Prompt(9), 6, 1));
  const RequestKey three = harness.Add(ChoiceParams(Prompt(9), 6, 3));
  harness.RunUntilIdle();
  EXPECT_EQ(SchedulerHarness::TokensOf(harness.result(alone).tokens),
            SchedulerHarness::TokensOf(harness.result(three).tokens));
}

TEST(SchedulerCache, OfAShortPromptForksShareNothing) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey key = harness.Add(ChoiceParams(Prompt(4), 3, 2));
  harness.Step();
  const StepPlan forked = *harness.Step();
  EXPECT_EQ(forked.slices[1].start_position, 0);
  EXPECT_EQ(forked.slices[1].state_source, StateSource::kZero);
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(key));
}

SchedulerOptions TightOptions() {
  SchedulerOptions options = SmallOptions();
  options.max_model_len = 24;
  options.block_count = 8;  // one sequence of 24 takes 6
  return options;
}

TEST(SchedulerCache, TheNewestLosesItsBlocksAndComesBackWithItsTokens) {
  for (const bool caching : {true, false}) {
    SchedulerOptions options = TightOptions();
    options.enable_prefix_caching = caching;
    SchedulerHarness harness(options);
    const RequestKey older = harness.Add(Params(Prompt(8, 1), 16));
    const RequestKey newer = harness.Add(Params(Prompt(8, 2), 16));
    while (harness.scheduler().stats().preemptions == 0) ASSERT_TRUE(harness.Step().has_value());
    EXPECT_FALSE(harness.result(newer).finish.has_value());
    const std::size_t before = harness.result(newer).tokens.size();
    EXPECT_GT(before, 0u);
    EXPECT_EQ(harness.scheduler().stats().waiting_requests, 1);
    while (!harness.result(older).finish.has_value()) harness.Step();
    EXPECT_EQ(harness.result(newer).tokens.size(), before);
    harness.RunUntilIdle();
    EXPECT_TRUE(harness.Right(older));
    EXPECT_TRUE(harness.Right(newer));
    EXPECT_EQ(harness.scheduler().stats().preemptions, 1u);
  }
}

TEST(SchedulerCache, TheWorsePriorityIsPreemptedThoughItCameFirst) {
  SchedulerHarness harness(TightOptions());
  RequestParams params = Params(Prompt(8, 1), 16);
  params.priority = 1;
  const RequestKey worse = harness.Add(std::move(params));
  const RequestKey better = harness.Add(Params(Prompt(8, 2), 16));
  while (harness.scheduler().stats().preemptions == 0) ASSERT_TRUE(harness.Step().has_value());
  while (!harness.result(better).finish.has_value()) harness.Step();
  EXPECT_FALSE(harness.result(worse).finish.has_value());
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(worse));
  EXPECT_TRUE(harness.Right(better));
}

TEST(SchedulerCache, APreemptedOneDoesNotLosePlaceToLaterArrivals) {
  SchedulerHarness harness(TightOptions());
  harness.Add(Params(Prompt(8, 1), 16));
  const RequestKey preempted = harness.Add(Params(Prompt(8, 2), 16));
  while (harness.scheduler().stats().preemptions == 0) ASSERT_TRUE(harness.Step().has_value());
  harness.now += std::chrono::seconds(1);
  const RequestKey later = harness.Add(Params(Prompt(8, 3), 16));
  while (!harness.result(later).finish.has_value()) harness.Step();
  EXPECT_TRUE(harness.result(preempted).finish.has_value());
}

// Forks that wait hold blocks without running: they must not keep anyone from running.
TEST(SchedulerCache, WaitingForksGiveUpTheirBlocksToWhoRuns) {
  SchedulerOptions options = TightOptions();
  options.max_num_seqs = 2;
  options.block_count = 7;
  options.enable_prefix_caching = false;
  SchedulerHarness harness(options);
  const RequestKey forks = harness.Add(ChoiceParams(Prompt(13, 1), 11, 5));
  const RequestKey other = harness.Add(Params(Prompt(20, 2), 4));
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(forks));
  EXPECT_TRUE(harness.Right(other));
  EXPECT_EQ(harness.scheduler().stats().blocks_used, 0);
}

TEST(SchedulerCache, RowsThatOweSomethingAreComputedOnceThroughPreemptions) {
  SchedulerHarness harness(TightOptions());
  const RequestKey older = harness.Add(Params(Prompt(8, 1), 16));
  RequestParams params = Params(Prompt(8, 2), 16);
  params.engram_gates = true;
  params.prompt_logprobs = 1;
  const RequestKey newer = harness.Add(std::move(params));
  harness.RunUntilIdle();
  EXPECT_GT(harness.scheduler().stats().preemptions, 0u);
  EXPECT_TRUE(harness.Right(older));
  EXPECT_TRUE(harness.Right(newer));
  const FakeAnswer expected = harness.Expected(newer);
  for (std::size_t i = 0; i < expected.tokens.size(); ++i) {
    EXPECT_EQ(harness.result(newer).tokens[i].gates, expected.tokens[i].gates) << i;
  }
}

TEST(SchedulerCache, EqualCallsGiveEqualPlans) {
  const auto plans = [] {
    SchedulerHarness harness(TightOptions());
    std::vector<std::int64_t> numbers;
    for (int i = 0; i < 6; ++i) {
      harness.Add(ChoiceParams(Prompt(6 + i, i % 3), 8, 1 + i % 2));
    }
    while (const auto plan = harness.Step()) {
      for (const BlockId block : plan->block_ids) numbers.push_back(block.value());
      for (const SequenceSlice& slice : plan->slices) {
        numbers.push_back(static_cast<std::int64_t>(slice.sequence.value()));
        numbers.push_back(slice.state_slot.value());
        numbers.push_back(slice.row_count);
      }
    }
    return numbers;
  };
  EXPECT_EQ(plans(), plans());
}

}  // namespace
}  // namespace engram::testing_support
