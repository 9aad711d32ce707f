// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/numa_nodes.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(NumaNodesTest, KernelLists) {
  EXPECT_THAT(ParseKernelList("0"), ElementsAre(0));
  EXPECT_THAT(ParseKernelList("0-3,8,10-11"), ElementsAre(0, 1, 2, 3, 8, 10, 11));
  EXPECT_THAT(ParseKernelList(""), IsEmpty());
  EXPECT_THAT(ParseKernelList("1,x"), ElementsAre(1));
  EXPECT_THAT(ParseKernelList("-1"), IsEmpty());
}

void Write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text << "\n";
}

TEST(NumaNodesTest, NodesOfTheProcessorsWeMayUse) {
  const std::string system = testing::TempDir() + "/node";
  Write(system + "/has_memory", "0-1,3");
  Write(system + "/node0/cpulist", "0-3");
  Write(system + "/node1/cpulist", "4-7");
  Write(system + "/node3/cpulist", "");  // memory alone
  EXPECT_THAT(NodesOf(system, std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}), ElementsAre(0, 1));
  EXPECT_THAT(NodesOf(system, std::vector<int>{5}), ElementsAre(1));
  EXPECT_THAT(NodesOf(system, std::vector<int>{99}), ElementsAre(0, 1, 3));
  EXPECT_THAT(NodesOf(system + "/nothing", std::vector<int>{0}), IsEmpty());
}

TEST(NumaNodesTest, ThisProcessRunsSomewhere) { EXPECT_FALSE(AllowedProcessors().empty()); }

}  // namespace
}  // namespace engram
