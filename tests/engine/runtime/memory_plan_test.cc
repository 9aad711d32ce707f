// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/memory_plan.h"

#include <cstdint>
#include <optional>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using ::testing::HasSubstr;

// 16 · 100 + 400 = 2,000 bytes a block; the zeros and 4 slots take 2,000 more.
constexpr ModelMemory kMemory = {
    .bytes_per_token = 100, .bytes_per_state = 400, .activation_bytes = 0};

SchedulerOptions Options() {
  SchedulerOptions options;
  options.max_model_len = 100;  // 7 blocks
  options.max_num_seqs = 4;
  options.block_size = 16;
  return options;
}

int Count(std::optional<std::int64_t> cache_bytes, std::int64_t available) {
  const absl::StatusOr<int> count = CountBlocks(Options(), kMemory, cache_bytes, available);
  return count.ok() ? *count : -1;
}

TEST(MemoryPlanTest, GivenMemoryIsFilled) {
  EXPECT_EQ(Count(2000 + 50 * 2000, 0), 50);
  EXPECT_EQ(Count(2000 + 50 * 2000 + 1999, 0), 50);
  EXPECT_EQ(Count(2000 + 50 * 2000 - 1, 0), 49);
}

TEST(MemoryPlanTest, WithoutAFigureEverySequenceFits) {
  EXPECT_EQ(Count(std::nullopt, 0), 4 * 7);
  EXPECT_EQ(Count(std::nullopt, std::int64_t{1} << 40), 4 * 7);
}

TEST(MemoryPlanTest, WithoutAFigureNoMoreThanHalfOfWhatIsAvailable) {
  EXPECT_EQ(Count(std::nullopt, 2 * (2000 + 10 * 2000)), 10);
}

TEST(MemoryPlanTest, CacheBytesAreWhatTheBlocksWereCountedFrom) {
  SchedulerOptions options = Options();
  options.block_count = 50;
  EXPECT_EQ(CacheBytes(options, kMemory), 2000 + 50 * 2000);
}

TEST(MemoryPlanTest, TooSmallForOneSequenceSaysWhatIsNeeded) {
  EXPECT_EQ(Count(2000 + 7 * 2000, 0), 7);
  const absl::StatusOr<int> count = CountBlocks(Options(), kMemory, 2000 + 6 * 2000, 0);
  EXPECT_EQ(count.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(count.status()), HasSubstr("kv-cache-memory is 13.67 KiB"));
  EXPECT_THAT(Message(count.status()), HasSubstr("needs 15.62 KiB"));
  EXPECT_THAT(Message(count.status()), HasSubstr("96 tokens fit"));
}

TEST(MemoryPlanTest, LessThanTheSlotsNeedIsAnErrorToo) {
  EXPECT_EQ(Count(10, 0), -1);
  EXPECT_EQ(Count(std::nullopt, 10), -1);
}

TEST(MemoryPlanTest, HugeCachesStayWithinBlockIds) {
  SchedulerOptions options = Options();
  const ModelMemory tiny = {.bytes_per_token = 1, .bytes_per_state = 0, .activation_bytes = 0};
  const absl::StatusOr<int> count = CountBlocks(options, tiny, std::int64_t{1} << 46, 0);
  ASSERT_TRUE(count.ok());
  options.block_count = *count;
  EXPECT_TRUE(ValidateSchedulerOptions(options).ok());
}

TEST(MemoryPlanTest, BytesAreWrittenWithAUnit) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatBytes(std::int64_t{3} << 30), "3.00 GiB");
  EXPECT_EQ(FormatBytes(std::int64_t{5} << 50), "5120.00 TiB");
}

TEST(MemoryPlanTest, ThisMachineHasSomeMemory) { EXPECT_GT(AvailableMemoryBytes(), 1 << 20); }

}  // namespace
}  // namespace engram
