// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/huge_memory.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "gtest/gtest.h"

namespace engram {
namespace {

constexpr std::size_t kMiB = 1 << 20;

TEST(HugeMemoryTest, IsZeroAlignedAndOurs) {
  for (const HugePages pages : {HugePages::kAuto, HugePages::kOff, HugePages::kRequire}) {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{5000}, 3 * kMiB + 1}) {
      auto memory = HugeMemory::Allocate(bytes, pages);
      ASSERT_TRUE(memory.ok()) << memory.status();
      EXPECT_EQ(memory->bytes().size(), bytes);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory->bytes().data()) % memory->page_bytes(),
                0u);
      EXPECT_TRUE(
          std::ranges::all_of(memory->bytes(), [](std::byte b) { return b == std::byte{0}; }));
      std::memset(memory->bytes().data(), 7, bytes);
      HugeMemory moved = *std::move(memory);
      EXPECT_EQ(moved.bytes()[bytes - 1], std::byte{7});
    }
  }
}

// Whatever this machine can give, what is said of it adds up.
TEST(HugeMemoryTest, CoverageIsThatOfTheMemoryAlone) {
  auto memory = HugeMemory::Allocate(8 * kMiB, HugePages::kAuto);
  auto neighbour = HugeMemory::Allocate(8 * kMiB, HugePages::kAuto);
  ASSERT_TRUE(memory.ok() && neighbour.ok());
  std::memset(neighbour->bytes().data(), 1, 8 * kMiB);
  EXPECT_EQ(memory->Coverage().resident_bytes, 0);
  EXPECT_EQ(memory->Coverage().huge_fraction(), 1);
  std::memset(memory->bytes().data(), 1, 8 * kMiB);
  memory->Collapse();
  const PageCoverage coverage = memory->Coverage();
  EXPECT_EQ(coverage.resident_bytes, static_cast<std::int64_t>(8 * kMiB));
  EXPECT_GE(coverage.huge_bytes, 0);
  EXPECT_LE(coverage.huge_bytes, coverage.resident_bytes);
  EXPECT_EQ(memory->bytes()[5 * kMiB], std::byte{1});
}

TEST(HugeMemoryTest, SmallPagesWhenThatIsWanted) {
  auto memory = HugeMemory::Allocate(8 * kMiB, HugePages::kOff);
  ASSERT_TRUE(memory.ok());
  std::memset(memory->bytes().data(), 1, 8 * kMiB);
  EXPECT_EQ(memory->Coverage().huge_bytes, 0);
  EXPECT_EQ(memory->description(), "small pages");
}

TEST(HugeMemoryTest, MoreThanThereCanBeIsAnError) {
  const absl::Status status = HugeMemory::Allocate(std::size_t{1} << 60, HugePages::kAuto).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

constexpr char kSmaps[] = R"(7f0000000000-7f0000200000 ---p 00000000 00:00 0
Rss:                   0 kB
AnonHugePages:         0 kB
7f0000200000-7f0000800000 rw-p 00000000 00:00 0
Size:               6144 kB
Rss:                5120 kB
AnonHugePages:      4096 kB
Private_Hugetlb:       0 kB
VmFlags: rd wr mr mw me ac dd hg
7f0000800000-7f0000a00000 rw-p 00000000 00:00 0                          [heap]
Rss:                2048 kB
AnonHugePages:      2048 kB
7f0000a00000-7f0000e00000 rw-p 00000000 00:0f 12345                      /anon_hugepage (deleted)
Rss:                   0 kB
AnonHugePages:         0 kB
Private_Hugetlb:    4096 kB
)";

TEST(ParseCoverageTest, CountsTheMappingsInside) {
  std::istringstream ordinary(kSmaps);
  const PageCoverage part = ParseCoverage(ordinary, 0x7f0000000000, 0x7f0000800000);
  EXPECT_EQ(part.resident_bytes, 5120 << 10);
  EXPECT_EQ(part.huge_bytes, 4096 << 10);
  EXPECT_EQ(part.huge_fraction(), 0.8);
  std::istringstream pooled(kSmaps);
  const PageCoverage pool = ParseCoverage(pooled, 0x7f0000a00000, 0x7f0000e00000);
  EXPECT_EQ(pool.resident_bytes, 4096 << 10);
  EXPECT_EQ(pool.huge_bytes, 4096 << 10);
  std::istringstream nothing(kSmaps);
  EXPECT_EQ(ParseCoverage(nothing, 0x1000, 0x2000).resident_bytes, 0);
}

}  // namespace
}  // namespace engram
