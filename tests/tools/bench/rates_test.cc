// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/rates.h"

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

TEST(RatesTest, SummaryIsMedianLeastAndMost) {
  const Numbers numbers = Summarise({5, 1, 9, 2, 4});
  EXPECT_EQ(numbers.median, 4);
  EXPECT_EQ(numbers.least, 1);
  EXPECT_EQ(numbers.most, 9);
  EXPECT_EQ(ToJson(numbers).dump(), R"({"max":9.0,"median":4.0,"min":1.0})");
}

// The machine was half as fast in the second pair; the medians of the rates would say 10 / 9.
TEST(RatesTest, RatioComparesNeighbours) {
  const Numbers ratio = Ratio({10, 5, 12}, {8, 4, 9.6});
  EXPECT_DOUBLE_EQ(ratio.median, 1.25);
  EXPECT_DOUBLE_EQ(ratio.least, 1.25);
  EXPECT_DOUBLE_EQ(ratio.most, 1.25);
}

}  // namespace
}  // namespace engram::bench
