// SPDX-License-Identifier: Apache-2.0
// What a plan says of the steps after it. That it is what then comes, the fake model checks in
// every test that sets upcoming_tokens_max, and the simulation with random ones.
#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/scheduler_harness.h"

namespace engram::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SchedulerOptions Options(int upcoming_tokens_max) {
  SchedulerOptions options = SmallOptions();  // 16 tokens a step, blocks of 4
  options.upcoming_tokens_max = upcoming_tokens_max;
  return options;
}

struct Listed {
  int start_position;
  int token_count;
  friend bool operator==(const Listed&, const Listed&) = default;
};

std::vector<Listed> UpcomingOf(const StepPlan& plan) {
  std::vector<Listed> listed;
  for (const UpcomingTokens& upcoming : plan.upcoming) {
    listed.push_back({upcoming.start_position, upcoming.token_count});
  }
  return listed;
}

TEST(ListUpcoming, TheRestOfAPromptWithItsLookback) {
  SchedulerHarness harness(Options(100));
  harness.Add(Params(Prompt(40), 2));
  const StepPlan plan = *harness.Step();
  EXPECT_THAT(UpcomingOf(plan), ElementsAre(Listed{16, 24}));
  const std::vector<std::int32_t> prompt = Prompt(40);
  EXPECT_EQ(plan.upcoming[0].lookback_count, 2);
  EXPECT_EQ(plan.upcoming[0].sequence, plan.slices[0].sequence);
  EXPECT_EQ(plan.upcoming_ids, std::vector<std::int32_t>(prompt.begin() + 14, prompt.end()));
  EXPECT_THAT(UpcomingOf(*harness.Step()), ElementsAre(Listed{32, 8}));
  EXPECT_THAT(UpcomingOf(*harness.Step()), IsEmpty());  // nobody knows what it will sample
}

TEST(ListUpcoming, RunningFirstThenWaitingUpToTheMaximum) {
  SchedulerHarness harness(Options(20));
  harness.Add(Params(Prompt(26, 1), 2));
  harness.Add(Params(Prompt(7, 2), 2));
  harness.Add(Params(Prompt(9, 3), 2));
  const StepPlan plan = *harness.Step();
  EXPECT_THAT(UpcomingOf(plan), ElementsAre(Listed{16, 10}, Listed{0, 7}, Listed{0, 3}));
  EXPECT_EQ(plan.upcoming[1].lookback_count, 0);
  EXPECT_EQ(plan.upcoming_ids.size(), 2u + 20u);
}

TEST(ListUpcoming, NothingThatThePrefixCacheHolds) {
  SchedulerHarness harness(Options(100));
  harness.Add(Params(Prompt(13), 1));
  harness.RunUntilIdle();
  harness.Add(Params(Prompt(16, 1), 1));  // fills the next step
  harness.Add(Params(Prompt(20), 1));     // begins as the first did: three blocks are known
  EXPECT_THAT(UpcomingOf(*harness.Step()), ElementsAre(Listed{12, 8}));
}

TEST(ListUpcoming, NothingOfRequestsWithoutMemoryOrCancelled) {
  SchedulerHarness harness(Options(100));
  harness.Add(Params(Prompt(40, 1), 1));
  RequestParams without_memory = Params(Prompt(8, 2), 1);
  without_memory.engram_enabled = false;
  harness.Add(without_memory);
  const RequestKey cancelled = harness.Add(Params(Prompt(9, 3), 1));
  EXPECT_THAT(UpcomingOf(*harness.Step()), ElementsAre(Listed{16, 24}, Listed{0, 9}));
  harness.scheduler().Cancel(cancelled);
  EXPECT_THAT(UpcomingOf(*harness.Step()), ElementsAre(Listed{32, 8}));
}

TEST(ListUpcoming, NothingUnlessAskedFor) {
  SchedulerHarness harness(Options(0));
  harness.Add(Params(Prompt(40), 1));
  EXPECT_THAT(harness.Step()->upcoming, IsEmpty());
}

}  // namespace
}  // namespace engram::testing_support
