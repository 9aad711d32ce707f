// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/huge_page_pools.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

// A /sys and a /proc of our own.
class HugePagePoolsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    Pool("1048576kB", 20, 0);
    Pool("2048kB", 1000, 100);
  }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  void Pool(const std::string& size, int free, int promised) {
    const std::string folder = "/sys/kernel/mm/hugepages/hugepages-" + size;
    Write(folder + "/free_hugepages", std::to_string(free));
    Write(folder + "/resv_hugepages", std::to_string(promised));
  }
  // Pages of 1 GiB, of 2 MiB.
  std::vector<std::int64_t> Pages() {
    std::vector<std::int64_t> pages;
    for (const HugePagePool& pool : FreeHugePages(kHugePage1G, root_)) pages.push_back(pool.pages);
    return pages;
  }
  using Counts = std::vector<std::int64_t>;

  const std::string root_ = testing::TempDir() + "/pools";
};

TEST_F(HugePagePoolsTest, FreeAreThoseThatArePromisedToNobody) {
  EXPECT_EQ(Pages(), (Counts{20, 900}));
  Pool("2048kB", 100, 100);
  EXPECT_EQ(Pages(), (Counts{20, 0}));
  const auto small = FreeHugePages(kHugePage2M, root_);
  ASSERT_EQ(small.size(), 1u);
  EXPECT_EQ(small[0].page_bytes, kHugePage2M);
}

TEST_F(HugePagePoolsTest, NoneWithoutPools) {
  std::filesystem::remove_all(root_);
  EXPECT_EQ(Pages(), (Counts{0, 0}));
}

// Where Kubernetes has reserved pages for others, this pod's group may have none: 0.
TEST_F(HugePagePoolsTest, AControlGroupsLimitCounts) {
  Write("/proc/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/hugetlb.2MB.max", "0");
  Write("/sys/fs/cgroup/hugetlb.1GB.max", "max");
  EXPECT_EQ(Pages(), (Counts{20, 0}));
  Write("/sys/fs/cgroup/hugetlb.2MB.max", std::to_string(100 * kHugePage2M));
  Write("/sys/fs/cgroup/hugetlb.2MB.current", std::to_string(30 * kHugePage2M));
  EXPECT_EQ(Pages(), (Counts{20, 70}));
  Write("/sys/fs/cgroup/hugetlb.2MB.rsvd.max", std::to_string(10 * kHugePage2M));
  EXPECT_EQ(Pages(), (Counts{20, 10}));
}

TEST_F(HugePagePoolsTest, TheGroupsAboveCountToo) {
  Write("/proc/self/cgroup", "1:name=systemd:/x\n0::/machine/server\n");
  Write("/sys/fs/cgroup/machine/server/hugetlb.1GB.max", "max");
  Write("/sys/fs/cgroup/machine/hugetlb.1GB.max", std::to_string(3 * kHugePage1G));
  EXPECT_EQ(Pages(), (Counts{3, 900}));
}

TEST_F(HugePagePoolsTest, AControlGroupOfTheFirstVersion) {
  Write("/sys/fs/cgroup/hugetlb/hugetlb.2MB.limit_in_bytes", std::to_string(5 * kHugePage2M));
  Write("/sys/fs/cgroup/hugetlb/hugetlb.2MB.usage_in_bytes", std::to_string(7 * kHugePage2M));
  EXPECT_EQ(Pages(), (Counts{20, 0}));
}

TEST(TakeHugePagesTest, TheLargestThatAreEnoughAndNotMostlyWaste) {
  std::vector<HugePagePool> pools = {{.page_bytes = kHugePage1G, .pages = 20},
                                     {.page_bytes = kHugePage2M, .pages = 5000}};
  EXPECT_EQ(TakeHugePages(8 * kHugePage1G, &pools), kHugePage1G);
  EXPECT_EQ(TakeHugePages(11 * kHugePage1G + 1, &pools), kHugePage1G);
  EXPECT_EQ(pools[0].pages, 0);
  EXPECT_EQ(TakeHugePages(8 * kHugePage1G, &pools), kHugePage2M) << "no more of the large";
  EXPECT_EQ(pools[1].pages, 5000 - 4096);
  EXPECT_EQ(TakeHugePages(8 * kHugePage1G, &pools), 0u);
  EXPECT_EQ(TakeHugePages(8 * kHugePage2M, &pools), kHugePage2M);
  EXPECT_EQ(TakeHugePages(7 * kHugePage2M, &pools), 0u) << "too small";
}

}  // namespace
}  // namespace engram
