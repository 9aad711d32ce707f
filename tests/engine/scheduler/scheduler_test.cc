// SPDX-License-Identifier: Apache-2.0
// Batching, admission, order, ends. Cache and forks are in scheduler_cache_test.cc.
#include "engine/scheduler/scheduler.h"

#include <algorithm>
#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/scheduler_harness.h"

namespace engram::testing_support {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

std::vector<int> RowCounts(const StepPlan& plan) {
  std::vector<int> counts;
  for (const SequenceSlice& slice : plan.slices) counts.push_back(slice.row_count);
  return counts;
}

TEST(Scheduler, APromptGoesInChunksAndThenATokenAStep) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey key = harness.Add(Params(Prompt(21), 3));
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(16));
  EXPECT_TRUE(harness.result(key).tokens.empty());
  const StepPlan second = *harness.Step();
  EXPECT_THAT(RowCounts(second), ElementsAre(5));
  EXPECT_EQ(second.slices[0].start_position, 16);
  EXPECT_EQ(second.slices[0].state_source, StateSource::kSlot);
  EXPECT_EQ(second.slices[0].lookback_count, 2);
  EXPECT_EQ(second.slices[0].lookback[1], Prompt(21)[15]);
  EXPECT_EQ(harness.result(key).tokens.size(), 1u);
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(1));
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(1));
  EXPECT_FALSE(harness.Step().has_value());
  EXPECT_TRUE(harness.Right(key));
  EXPECT_EQ(harness.scheduler().stats().blocks_used, 0);
}

TEST(Scheduler, DecodesGoFirstAndChunksFillTheBudget) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey first = harness.Add(Params(Prompt(4, 1), 8));
  const RequestKey second = harness.Add(Params(Prompt(4, 2), 8));
  harness.Step();
  const RequestKey third = harness.Add(Params(Prompt(30, 3), 8));
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(1, 1, 14));
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(1, 1, 14));
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(1, 1, 2));
  harness.RunUntilIdle();
  for (const RequestKey key : {first, second, third}) EXPECT_TRUE(harness.Right(key));
}

TEST(Scheduler, NoMoreSequencesRunThanMayRun) {
  SchedulerOptions options = SmallOptions();
  options.max_num_seqs = 2;
  SchedulerHarness harness(options);
  std::vector<RequestKey> keys;
  for (int i = 0; i < 5; ++i) keys.push_back(harness.Add(Params(Prompt(3, i), 2)));
  harness.Step();
  EXPECT_EQ(harness.scheduler().stats().running_sequences, 2);
  EXPECT_EQ(harness.scheduler().stats().waiting_requests, 3);
  EXPECT_EQ(harness.scheduler().stats().waiting_tokens, 9);
  harness.RunUntilIdle();
  for (const RequestKey key : keys) EXPECT_TRUE(harness.Right(key));
}

TEST(Scheduler, WithoutChunkedPrefillAPromptIsOneStep) {
  SchedulerOptions options = SmallOptions();
  options.enable_chunked_prefill = false;
  options.max_num_batched_tokens = options.max_model_len;
  SchedulerHarness harness(options);
  const RequestKey shorter = harness.Add(Params(Prompt(40, 1), 4));
  const RequestKey longer = harness.Add(Params(Prompt(41, 2), 4));
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(40));  // both would be 81 rows
  EXPECT_EQ(harness.Step()->slices.back().row_count, 41);
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(shorter));
  EXPECT_TRUE(harness.Right(longer));
}

// A prompt as long as the whole budget fits beside no decode row. It gets the next step to itself,
// and those that decode wait for that one step only.
TEST(Scheduler, WithoutChunkedPrefillTheLongestPromptIsNotStarvedByDecodes) {
  SchedulerOptions options = SmallOptions();
  options.enable_chunked_prefill = false;
  options.max_num_batched_tokens = options.max_model_len;
  SchedulerHarness harness(options);
  const RequestKey decoding = harness.Add(Params(Prompt(4, 1), 50));
  const RequestKey also_decoding = harness.Add(Params(Prompt(4, 2), 50));
  harness.Step();
  const RequestKey longest = harness.Add(Params(Prompt(63, 3), 1));
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(1, 1));  // with it, 65 rows
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(1, 63));
  EXPECT_EQ(harness.result(longest).finish, FinishReason::kLength);
  EXPECT_THAT(RowCounts(*harness.Step()), ElementsAre(1, 1));
  harness.RunUntilIdle();
  for (const RequestKey key : {decoding, also_decoding, longest}) EXPECT_TRUE(harness.Right(key));
}

TEST(Scheduler, BetterPrioritiesGoFirstAndEqualOnesInOrderOfArrival) {
  SchedulerOptions options = SmallOptions();
  options.max_num_seqs = 1;
  options.priority_aging = hours(1);
  SchedulerHarness harness(options);
  std::vector<RequestKey> keys;
  for (const int priority : {5, 0, 5, -1, 0}) {
    RequestParams params = Params(Prompt(3, priority + 1), 1);
    params.priority = priority;
    keys.push_back(harness.Add(std::move(params)));
    harness.now += milliseconds(1);
  }
  harness.RunUntilIdle();
  std::vector<std::uint64_t> order;
  for (const auto& [key, choice] : harness.order) order.push_back(key.value());
  EXPECT_THAT(order, ElementsAre(3, 1, 4, 0, 2));
}

// The steps until a request of priority 1 is answered while one of priority 0 arrives in each step.
int StepsUntilServed(Duration aging) {
  SchedulerOptions options = SmallOptions();
  options.max_num_seqs = 1;
  options.priority_aging = aging;
  SchedulerHarness harness(options);
  RequestParams params = Params(Prompt(3, 1), 1);
  params.priority = 1;
  harness.Add(Params(Prompt(3, 2), 1));
  const RequestKey low = harness.Add(std::move(params));
  for (int step = 1; step <= 200; ++step) {
    harness.Add(Params(Prompt(3, 2), 1));
    harness.Step();
    harness.now += milliseconds(10);
    if (harness.result(low).finish.has_value()) return step;
  }
  return 1000;
}

TEST(Scheduler, AgingKeepsLowPrioritiesFromStarving) {
  // A level is worth 500 ms of waiting, that is 50 steps.
  EXPECT_NEAR(StepsUntilServed(milliseconds(500)), 50, 3);
  EXPECT_EQ(StepsUntilServed(hours(1)), 1000);
}

TEST(Scheduler, EndsAtEosStopIdsAndMaxTokens) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey plain = harness.Add(Params(Prompt(5), 12));
  harness.RunUntilIdle();
  const std::vector<std::int32_t> tokens = SchedulerHarness::TokensOf(harness.result(plain).tokens);
  ASSERT_EQ(tokens.size(), 12u);
  EXPECT_EQ(harness.result(plain).finish, FinishReason::kLength);

  RequestParams stopped = Params(Prompt(5), 12);
  stopped.stop_token_ids = {tokens[4]};
  const RequestKey stop = harness.Add(stopped);
  harness.RunUntilIdle();
  const auto first = std::ranges::find(tokens, tokens[4]) - tokens.begin();
  EXPECT_EQ(harness.result(stop).tokens.size(), static_cast<std::size_t>(first + 1));
  EXPECT_EQ(harness.result(stop).finish, FinishReason::kStop);
  EXPECT_EQ(harness.result(stop).stop_token, tokens[4]);

  // Masked until min_tokens: another token is sampled instead.
  stopped.min_tokens = 12;
  const RequestKey masked = harness.Add(stopped);
  harness.RunUntilIdle();
  EXPECT_EQ(harness.result(masked).finish, FinishReason::kLength);
  EXPECT_EQ(
      std::ranges::count(SchedulerHarness::TokensOf(harness.result(masked).tokens), tokens[4]), 0);
  EXPECT_TRUE(harness.Right(masked));
}

TEST(Scheduler, EosEndsWithoutAStopToken) {
  SchedulerHarness harness(SmallOptions());
  std::vector<RequestKey> keys;
  for (int flavour = 0; flavour < 40; ++flavour) {
    RequestParams params = Params(Prompt(5, flavour), 40);
    params.ignore_eos = false;
    keys.push_back(harness.Add(std::move(params)));
  }
  harness.RunUntilIdle();
  int stopped = 0;
  for (const RequestKey key : keys) {
    EXPECT_TRUE(harness.Right(key));
    if (harness.result(key).finish != FinishReason::kStop) continue;
    ++stopped;
    EXPECT_EQ(harness.result(key).tokens.back().token, kEos);
    EXPECT_FALSE(harness.result(key).stop_token.has_value());
  }
  EXPECT_GT(stopped, 5);
}

TEST(Scheduler, ScoringAPromptSamplesNothing) {
  SchedulerHarness harness(SmallOptions());
  RequestParams params = ChoiceParams(Prompt(20), 0, 2);
  params.prompt_logprobs = 2;
  const RequestKey key = harness.Add(std::move(params));
  std::size_t samples = 0;
  while (const auto plan = harness.Step()) samples += plan->samples.size();
  EXPECT_EQ(samples, 0u);
  const std::vector<TokenResult> expected = harness.Expected(key).prompt;
  for (const int choice : {0, 1}) {
    const SchedulerHarness::Choice& result = harness.result(key, choice);
    EXPECT_EQ(result.finish, FinishReason::kLength);
    EXPECT_TRUE(result.tokens.empty());
    ASSERT_NE(result.prompt, nullptr);
    ASSERT_EQ(result.prompt->tokens.size(), 20u);
    EXPECT_FALSE(result.prompt->tokens[0].logprob.has_value());
    for (int i = 1; i < 20; ++i) {
      EXPECT_EQ(result.prompt->tokens[i].token, Prompt(20)[i]);
      EXPECT_EQ(result.prompt->tokens[i].logprob->logprob, expected[i].logprob->logprob);
      EXPECT_EQ(result.prompt->tokens[i].top_logprobs.size(), 2u);
    }
  }
}

TEST(Scheduler, GatesComeWithTheirOwnTokenAndTheLastHasNone) {
  for (const int batched_tokens : {4, 16}) {
    SchedulerOptions options = SmallOptions();
    options.max_num_batched_tokens = batched_tokens;
    SchedulerHarness harness(options);
    RequestParams params = ChoiceParams(Prompt(10), 5, 2);
    params.engram_gates = true;
    const RequestKey key = harness.Add(std::move(params));
    harness.RunUntilIdle();
    EXPECT_TRUE(harness.Right(key));
    for (const int choice : {0, 1}) {
      const SchedulerHarness::Choice& result = harness.result(key, choice);
      const FakeAnswer expected = harness.Expected(key, choice);
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(result.prompt->tokens[i].gates, harness.Expected(key).prompt[i].gates);
        EXPECT_EQ(result.prompt->tokens[i].gates.size(), static_cast<std::size_t>(kFakeGateCount));
      }
      for (int i = 0; i < 5; ++i) EXPECT_EQ(result.tokens[i].gates, expected.tokens[i].gates);
      EXPECT_FALSE(result.tokens[3].gates.empty());
      EXPECT_TRUE(result.tokens[4].gates.empty());
    }
  }
}

TEST(Scheduler, DeadlinesEndWhatWaitsAndWhatRuns) {
  SchedulerOptions options = SmallOptions();
  options.max_num_seqs = 1;
  SchedulerHarness harness(options);
  RequestParams params = Params(Prompt(5, 1), 20);
  params.deadline = TimePoint(seconds(1));
  const RequestKey running = harness.Add(params);
  params.prompt = Prompt(5, 2);
  const RequestKey waiting = harness.Add(params);
  params.deadline.reset();
  const RequestKey endless = harness.Add(params);
  harness.Step();
  harness.now += seconds(1);
  harness.Step();
  EXPECT_EQ(harness.result(running).finish, FinishReason::kDeadline);
  EXPECT_EQ(harness.result(running).tokens.size(), 1u);
  EXPECT_EQ(harness.result(waiting).finish, FinishReason::kDeadline);
  EXPECT_EQ(harness.result(waiting).prompt, nullptr);
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(endless));
}

// Nothing that was sampled is lost, even if its gates never come.
TEST(Scheduler, ADeadlineDeliversTheTokenThatWaitsForItsGates) {
  SchedulerHarness harness(SmallOptions());
  RequestParams params = Params(Prompt(5), 20);
  params.engram_gates = true;
  params.deadline = TimePoint(seconds(1));
  const RequestKey key = harness.Add(std::move(params));
  harness.Step();
  EXPECT_TRUE(harness.result(key).tokens.empty());
  harness.now += seconds(2);
  harness.Step();
  ASSERT_EQ(harness.result(key).tokens.size(), 1u);
  EXPECT_EQ(harness.result(key).tokens[0].token, harness.Expected(key).tokens[0].token);
  EXPECT_EQ(harness.result(key).prompt->tokens.size(), 5u);
  EXPECT_EQ(harness.result(key).finish, FinishReason::kDeadline);
}

TEST(Scheduler, CancelFreesEverythingInEveryState) {
  SchedulerOptions options = SmallOptions();
  options.max_num_seqs = 2;
  options.enable_prefix_caching = false;
  SchedulerHarness harness(options);
  const RequestKey forks = harness.Add(ChoiceParams(Prompt(9, 1), 20, 4));
  const RequestKey chunked = harness.Add(Params(Prompt(40, 2), 5));
  const RequestKey waiting = harness.Add(Params(Prompt(5, 3), 5));
  harness.Step();  // forks: sampled, three more choices wait with blocks; chunked: in its prompt
  EXPECT_GT(harness.scheduler().stats().blocks_used, 0);
  harness.scheduler().Cancel(waiting);
  harness.scheduler().CheckIntegrity();
  harness.scheduler().Cancel(forks);
  harness.scheduler().CheckIntegrity();
  harness.scheduler().Cancel(chunked);
  harness.scheduler().CheckIntegrity();
  EXPECT_EQ(harness.scheduler().stats().blocks_used, 0);
  EXPECT_FALSE(harness.scheduler().HasWork());
  harness.scheduler().Cancel(chunked);          // finished
  harness.scheduler().Cancel(RequestKey(999));  // unknown
  EXPECT_FALSE(harness.Step().has_value());
}

TEST(Scheduler, AbortAllEndsEveryChoice) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey first = harness.Add(ChoiceParams(Prompt(9, 1), 20, 3));
  const RequestKey second = harness.Add(Params(Prompt(9, 2), 20));
  harness.Step();
  std::vector<SchedulerEvent> events;
  harness.scheduler().AbortAll(&events);
  harness.Take(std::move(events));
  for (const int choice : {0, 1, 2}) {
    EXPECT_EQ(harness.result(first, choice).finish, FinishReason::kAborted);
  }
  EXPECT_EQ(harness.result(second).finish, FinishReason::kAborted);
  EXPECT_EQ(harness.scheduler().stats().blocks_used, 0);
  EXPECT_FALSE(harness.scheduler().HasWork());
}

TEST(Scheduler, AFailedSliceEndsItsRequestAndNoOther) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey bystander = harness.Add(Params(Prompt(9, 1), 20));
  harness.Step();
  const RequestKey failing = harness.Add(Params(Prompt(9, 2), 20));
  harness.fail_next = {{.slice = 1, .message = "row 7 of the table"}};
  const std::optional<StepPlan> plan = harness.Step();
  ASSERT_EQ(plan->slices.size(), 2u);
  EXPECT_EQ(harness.result(failing).finish, FinishReason::kFailed);
  EXPECT_EQ(harness.result(failing).error, "row 7 of the table");
  EXPECT_TRUE(harness.result(failing).tokens.empty());
  EXPECT_FALSE(harness.result(bystander).finish.has_value());

  // Nothing of what failed was kept: the same prompt again finds no prefix, and is right.
  const RequestKey again = harness.Add(Params(Prompt(9, 2), 20));
  harness.RunUntilIdle();
  EXPECT_EQ(harness.result(again).prompt->cached_tokens, 0);
  EXPECT_TRUE(harness.Right(again));
  EXPECT_TRUE(harness.Right(bystander));
  EXPECT_EQ(harness.scheduler().stats().blocks_used, 0);
}

TEST(Scheduler, AFailedDecodeEndsAllChoicesOfItsRequest) {
  SchedulerHarness harness(SmallOptions());
  const RequestKey failing = harness.Add(ChoiceParams(Prompt(9, 1), 20, 3));
  RequestParams params = Params(Prompt(5, 2), 20);
  params.engram_gates = true;
  params.prompt_logprobs = 1;
  const RequestKey bystander = harness.Add(std::move(params));
  for (int i = 0; i < 4; ++i) harness.Step();
  harness.fail_next = {{.slice = 1, .message = "first"}, {.slice = 2, .message = "second"}};
  ASSERT_EQ(harness.Step()->slices.size(), 4u);
  for (const int choice : {0, 1, 2}) {
    EXPECT_EQ(harness.result(failing, choice).finish, FinishReason::kFailed);
    EXPECT_EQ(harness.result(failing, choice).error, "first");
  }
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(bystander));
}

// What a failed slice gave is passed over, whatever it is: samples, log-probabilities, gates.
TEST(Scheduler, AFailedPromptTakesItsResultsWithIt) {
  SchedulerHarness harness(SmallOptions());
  RequestParams params = Params(Prompt(5, 1), 8);
  params.engram_gates = true;
  params.prompt_logprobs = 2;
  const RequestKey failing = harness.Add(params);
  params.prompt = Prompt(6, 2);
  const RequestKey bystander = harness.Add(params);
  harness.fail_next = {{.slice = 0, .message = "gone"}};
  ASSERT_EQ(harness.Step()->slices.size(), 2u);
  EXPECT_EQ(harness.result(failing).finish, FinishReason::kFailed);
  EXPECT_EQ(harness.result(failing).prompt, nullptr);
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.Right(bystander));
}

}  // namespace
}  // namespace engram::testing_support
