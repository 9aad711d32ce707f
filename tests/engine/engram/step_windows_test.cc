// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/step_windows.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::ElementsAre;

// Orders 2 and 3; ids compress to themselves plus 100, the pad token 0 to 7.
NgramHasher MakeHasher() {
  EngramConfig config;
  config.layer_ids = {0};
  config.heads = 1;
  config.vocab_sizes = {11, 11};
  config.pad_token_id = 0;
  std::vector<std::int32_t> map(100);
  for (int i = 0; i < 100; ++i) map[i] = 100 + i;
  map[0] = 7;
  auto hasher = NgramHasher::Create(config, TokenMap(map, 200));
  EXPECT_TRUE(hasher.ok()) << hasher.status();
  return *std::move(hasher);
}

SequenceSlice Slice(int first_row, int row_count, int start_position,
                    std::vector<std::int32_t> lookback) {
  SequenceSlice slice;
  slice.first_row = first_row;
  slice.row_count = row_count;
  slice.start_position = start_position;
  std::copy(lookback.begin(), lookback.end(), slice.lookback.begin());
  slice.lookback_count = static_cast<int>(lookback.size());
  return slice;
}

TEST(StepWindowsTest, OneWindowPerSliceWithItsLookback) {
  StepPlan plan;
  plan.token_ids = {1, 2, 3, 4, 5, 6};
  plan.slices = {Slice(0, 2, 0, {}), Slice(2, 1, 1, {20}), Slice(3, 1, 9, {30, 31}),
                 Slice(4, 2, 5, {40, 41})};
  plan.slices[2].engram_enabled = false;
  StepWindows step(6, 2);
  step.Assign(plan, MakeHasher());

  EXPECT_EQ(step.rows(), 6);
  ASSERT_EQ(step.slices().size(), 4u);
  EXPECT_THAT(step.slices()[0].window, ElementsAre(7, 7, 101, 102));
  EXPECT_THAT(step.slices()[1].window, ElementsAre(7, 120, 103));
  EXPECT_FALSE(step.slices()[2].engram_enabled());
  EXPECT_THAT(step.slices()[3].window, ElementsAre(140, 141, 105, 106));
  EXPECT_EQ(step.slices()[3].first_row, 4);
  EXPECT_EQ(step.slices()[3].row_count, 2);
}

TEST(StepWindowsTest, AStepReplacesTheOneBefore) {
  const NgramHasher hasher = MakeHasher();
  StepWindows step(4, 2);
  StepPlan plan;
  plan.token_ids = {1, 2, 3, 4};
  plan.slices = {Slice(0, 1, 0, {}), Slice(1, 1, 0, {}), Slice(2, 1, 0, {}), Slice(3, 1, 0, {})};
  step.Assign(plan, hasher);
  EXPECT_EQ(step.slices().size(), 4u);
  plan.token_ids = {9};
  plan.slices = {Slice(0, 1, 0, {})};
  step.Assign(plan, hasher);
  EXPECT_EQ(step.rows(), 1);
  ASSERT_EQ(step.slices().size(), 1u);
  EXPECT_THAT(step.slices()[0].window, ElementsAre(7, 7, 109));
}

TEST(StepWindowsDeathTest, BrokenPlansEndTheProcess) {
  const NgramHasher hasher = MakeHasher();
  StepWindows step(2, 2);
  StepPlan plan;
  plan.token_ids = {1, 2, 3};
  plan.slices = {Slice(0, 3, 0, {})};
  EXPECT_DEATH(step.Assign(plan, hasher), "3 vs. 2");  // more rows than there is room for
  plan.token_ids = {1, 2};
  plan.slices = {Slice(0, 1, 0, {})};
  EXPECT_DEATH(step.Assign(plan, hasher), "1 vs. 2");  // rows that no slice covers
  plan.slices = {Slice(0, 2, 3, {5})};
  EXPECT_DEATH(step.Assign(plan, hasher), "slice.lookback_count");
}

}  // namespace
}  // namespace engram
