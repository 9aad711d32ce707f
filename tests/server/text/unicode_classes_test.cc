// SPDX-License-Identifier: Apache-2.0
// The class tables against the file they were measured into.
#include "server/text/unicode_classes.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/test_files.h"

namespace engram {
namespace {

using Pairs = std::vector<std::pair<char32_t, char32_t>>;

Pairs AsPairs(std::span<const CodePointRange> ranges) {
  Pairs pairs;
  for (const CodePointRange& range : ranges) pairs.emplace_back(range.first, range.last);
  return pairs;
}

TEST(UnicodeClassesTest, EqualTheMeasuredAdditions) {
  const auto measured = nlohmann::json::parse(
      testing_support::ReadFile("tests/testdata/text/pretokenizer_class_additions.json"));
  const auto& classes = measured["pcre2_10_42_unicode_14"];
  EXPECT_EQ(classes.size(), 5u);
  for (const auto& [name, ranges] : classes.items()) {
    EXPECT_EQ(AsPairs(NewMembersOf(name[0])), ranges.get<Pairs>()) << name;
  }
  EXPECT_EQ(AsPairs(WhiteSpace()), measured["white_space"].get<Pairs>());
  EXPECT_TRUE(NewMembersOf('Z').empty());
}

}  // namespace
}  // namespace engram
