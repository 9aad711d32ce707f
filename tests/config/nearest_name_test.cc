// SPDX-License-Identifier: Apache-2.0
#include "config/nearest_name.h"

#include "gtest/gtest.h"

namespace engram {
namespace {

const std::vector<std::string> kNames = {"max-num-seqs", "max-model-len", "model", "host"};

TEST(NearestNameTest, FindsTypingMistakes) {
  EXPECT_EQ(NearestName("max-num-seq", kNames), "max-num-seqs");
  EXPECT_EQ(NearestName("max_model_len", kNames), "max-model-len");
  EXPECT_EQ(NearestName("modle", kNames), "model");
  EXPECT_EQ(NearestName("hots", kNames), "host");
  EXPECT_EQ(NearestName("model", kNames), "model");
}

TEST(NearestNameTest, SaysNothingRatherThanNonsense) {
  EXPECT_EQ(NearestName("zzzz", kNames), std::nullopt);
  EXPECT_EQ(NearestName("", kNames), std::nullopt);
  EXPECT_EQ(NearestName("model", {}), std::nullopt);
}

}  // namespace
}  // namespace engram
