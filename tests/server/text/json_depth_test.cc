// SPDX-License-Identifier: Apache-2.0
#include "server/text/json_depth.h"

#include <string>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(JsonDepthTest, CountsTheDeepestNesting) {
  EXPECT_EQ(JsonDepth(""), 0);
  EXPECT_EQ(JsonDepth("1"), 0);
  EXPECT_EQ(JsonDepth("{}"), 1);
  EXPECT_EQ(JsonDepth(R"([{"a":[1]},[]])"), 3);
  EXPECT_EQ(JsonDepth(std::string(1000, '[')), 1000);
}

TEST(JsonDepthTest, BracketsInStringsAreText) {
  EXPECT_EQ(JsonDepth(R"(["[[[", "\"[[", "\\"])"), 1);
  EXPECT_EQ(JsonDepth(R"(["\\", [[]]])"), 3);
  EXPECT_EQ(JsonDepth(R"(["\)"), 1);  // ends inside an escape
}

TEST(JsonDepthTest, MoreClosingThanOpeningIsNotNegativeDepth) { EXPECT_EQ(JsonDepth("]]][["), 0); }

}  // namespace
}  // namespace engram
