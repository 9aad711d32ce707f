// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/placement.h"

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

PlacementFacts OnDisk(std::int64_t tables_gib, std::int64_t available_gib) {
  return {.tables_bytes = tables_gib * kGiB,
          .scales_bytes = 0,
          .kept_bytes = 0,
          .pooled_bytes = 0,
          .available_bytes = available_gib * kGiB,
          .in_files = true,
          .direct_io = true,
          .files_in_memory = false};
}

PlacementChoice Choose(const EngramStorageOptions& options, const PlacementFacts& facts) {
  const auto choice = ChoosePlacement(options, facts);
  EXPECT_TRUE(choice.ok()) << choice.status();
  return *choice;
}

TEST(PlacementTest, AutoTakesRamWhereTheTablesFit) {
  const PlacementChoice choice = Choose({}, OnDisk(12, 20));
  EXPECT_EQ(choice.placement, EngramPlacement::kRam);
  EXPECT_EQ(choice.memory_bytes(), 12 * kGiB);
  EXPECT_EQ(choice.reason,
            "auto: 12.00 GiB fit into 15.00 GiB, three quarters of the 20.00 GiB "
            "that are available");
}

// A 12 GiB table of a keeper on a machine of 20 GiB: what is left is for the cache, and none of it
// for the table, once more.
TEST(PlacementTest, WhatAKeeperHoldsTakesNoMemoryAgain) {
  PlacementFacts facts = OnDisk(12, 8);
  facts.kept_bytes = facts.tables_bytes;
  for (const EngramPlacement placement : {EngramPlacement::kRam, EngramPlacement::kAuto}) {
    const PlacementChoice choice = Choose({.placement = placement}, facts);
    EXPECT_EQ(choice.placement, EngramPlacement::kRam);
    EXPECT_EQ(choice.memory_bytes(), 0);
  }
  facts.kept_bytes = 7 * kGiB;  // one of two tables
  EXPECT_EQ(Choose({}, facts).memory_bytes(), 5 * kGiB);
  facts.kept_bytes = 5 * kGiB;
  EXPECT_EQ(Choose({}, facts).placement, EngramPlacement::kNvme);
}

// Whoever reserved huge pages for the tables has that much less of available memory.
TEST(PlacementTest, ReservedHugePagesTakeNoneOfTheAvailableMemory) {
  PlacementFacts facts = OnDisk(16, 4);
  EXPECT_EQ(Choose({}, facts).placement, EngramPlacement::kNvme);
  facts.pooled_bytes = facts.tables_bytes;
  for (const EngramPlacement placement : {EngramPlacement::kRam, EngramPlacement::kAuto}) {
    const PlacementChoice choice = Choose({.placement = placement}, facts);
    EXPECT_EQ(choice.placement, EngramPlacement::kRam);
    EXPECT_EQ(choice.memory_bytes(), 0);
  }
  EXPECT_EQ(Choose({}, facts).reason, "auto: the reserved huge pages hold them");
  facts.pooled_bytes = 14 * kGiB;
  EXPECT_EQ(Choose({}, facts).memory_bytes(), 2 * kGiB);
  EXPECT_EQ(Choose({.ram_budget_bytes = kGiB}, facts).placement, EngramPlacement::kNvme);
}

TEST(PlacementTest, AutoTakesTheDriveWhereTheyDoNot) {
  const PlacementChoice choice = Choose({.cache_bytes = kGiB}, OnDisk(20, 20));
  EXPECT_EQ(choice.placement, EngramPlacement::kNvme);
  EXPECT_EQ(choice.tables_bytes, 0);
  EXPECT_EQ(choice.cache_bytes, kGiB);
  EXPECT_THAT(choice.reason, HasSubstr("20.00 GiB are more than 15.00 GiB"));
}

TEST(PlacementTest, AutoMapsWhatCannotBeReadDirectly) {
  PlacementFacts facts = OnDisk(20, 20);
  facts.direct_io = false;
  const PlacementChoice choice = Choose({}, facts);
  EXPECT_EQ(choice.placement, EngramPlacement::kMapped);
  EXPECT_EQ(choice.memory_bytes(), 0);
  EXPECT_THAT(choice.reason, HasSubstr("no O_DIRECT"));
}

TEST(PlacementTest, AutoCopiesNothingThatIsInMemoryAlready) {
  PlacementFacts facts = OnDisk(1, 20);
  facts.files_in_memory = true;
  EXPECT_EQ(Choose({}, facts).placement, EngramPlacement::kMapped);
  facts.files_in_memory = false;
  facts.in_files = false;
  EXPECT_EQ(Choose({}, facts).placement, EngramPlacement::kMapped);
  EXPECT_THAT(Choose({}, facts).reason, HasSubstr("dummy weights"));
}

TEST(PlacementTest, ABudgetCountsAndNotWhatIsFree) {
  const EngramStorageOptions options = {.ram_budget_bytes = 4 * kGiB};
  EXPECT_EQ(Choose(options, OnDisk(4, 100)).placement, EngramPlacement::kRam);
  EXPECT_EQ(Choose(options, OnDisk(5, 100)).placement, EngramPlacement::kNvme);
  EXPECT_EQ(Choose(options, OnDisk(4, 0)).placement, EngramPlacement::kRam);
  EXPECT_THAT(Choose(options, OnDisk(5, 100)).reason, HasSubstr("ram_budget, 4.00 GiB"));
}

TEST(PlacementTest, ASystemThatDoesNotSayWhatItHasGetsNoTables) {
  EXPECT_EQ(Choose({}, OnDisk(1, 0)).placement, EngramPlacement::kNvme);
  EXPECT_EQ(Choose({}, OnDisk(1, 0)).cache_bytes, 0);
}

TEST(PlacementTest, TheCacheTakesAtMostHalfOfTheBudget) {
  EngramStorageOptions options = {.placement = EngramPlacement::kNvme, .cache_bytes = 8 * kGiB};
  EXPECT_EQ(Choose(options, OnDisk(100, 100)).cache_bytes, 8 * kGiB);
  options.ram_budget_bytes = 2 * kGiB;
  EXPECT_EQ(Choose(options, OnDisk(100, 100)).cache_bytes, kGiB);
}

// Eight bytes of scales for 256 of values: they are in memory also where the values stay on the
// drive.
TEST(PlacementTest, ScalesOfADriveTableTakeMemory) {
  PlacementFacts facts = OnDisk(100, 20);
  facts.scales_bytes = 3 * kGiB;
  for (const EngramPlacement placement : {EngramPlacement::kNvme, EngramPlacement::kAuto}) {
    const PlacementChoice choice = Choose({.placement = placement, .cache_bytes = 8 * kGiB}, facts);
    EXPECT_EQ(choice.placement, EngramPlacement::kNvme);
    EXPECT_EQ(choice.tables_bytes, 3 * kGiB);
    EXPECT_EQ(choice.cache_bytes, 6 * kGiB) << "half of what is left of 15 GiB";
    EXPECT_THAT(choice.reason, HasSubstr("their scales, 3.00 GiB, are in memory"));
  }
  facts.scales_bytes = 16 * kGiB;
  EXPECT_EQ(Choose({}, facts).placement, EngramPlacement::kMapped);
  EXPECT_THAT(Choose({}, facts).reason, HasSubstr("so are their scales, 16.00 GiB"));
  const absl::Status refused =
      ChoosePlacement({.placement = EngramPlacement::kNvme}, facts).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(refused), HasSubstr("keeps the scales of the Engram tables in memory"));
}

TEST(PlacementTest, WhatIsAskedForIsDoneOrRefused) {
  const PlacementFacts facts = OnDisk(10, 100);
  EXPECT_EQ(Choose({.placement = EngramPlacement::kRam}, facts).placement, EngramPlacement::kRam);
  EXPECT_EQ(Choose({.placement = EngramPlacement::kMapped}, facts).placement,
            EngramPlacement::kMapped);
  EXPECT_EQ(Choose({.placement = EngramPlacement::kNvme}, facts).placement, EngramPlacement::kNvme);

  const absl::Status too_large =
      ChoosePlacement({.placement = EngramPlacement::kRam}, OnDisk(10, 12)).status();
  EXPECT_EQ(too_large.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(too_large), HasSubstr("needs 10.00 GiB"));
  EXPECT_THAT(Message(too_large), HasSubstr("raise ram_budget"));

  PlacementFacts no_direct = facts;
  no_direct.direct_io = false;
  const absl::Status refused =
      ChoosePlacement({.placement = EngramPlacement::kNvme}, no_direct).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(refused), HasSubstr("no O_DIRECT"));
  PlacementFacts dummy = facts;
  dummy.in_files = false;
  EXPECT_THAT(Message(ChoosePlacement({.placement = EngramPlacement::kNvme}, dummy).status()),
              HasSubstr("dummy weights are in no file"));
}

}  // namespace
}  // namespace engram
