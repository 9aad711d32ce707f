// SPDX-License-Identifier: Apache-2.0
// Finding all matches, and what happens at the engine's edges.
#include "server/text/regex.h"

#include <string>
#include <vector>

#include "base/strings.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

std::vector<TextRange> Find(std::string_view pattern, std::string_view text,
                            Regex::Syntax syntax = Regex::Syntax::kPcre2) {
  const auto regex = Regex::Compile(pattern, syntax);
  EXPECT_TRUE(regex.ok()) << Message(regex.status());
  std::vector<TextRange> matches;
  const absl::Status found = regex->FindAll(text, matches);
  EXPECT_TRUE(found.ok()) << Message(found);
  return matches;
}

using Ranges = std::vector<TextRange>;

TEST(RegexTest, FindsAllMatchesInOrder) {
  EXPECT_EQ(Find("a+", "aabaca"), (Ranges{{0, 2}, {3, 4}, {5, 6}}));
  EXPECT_EQ(Find("é", "eéé"), (Ranges{{1, 3}, {3, 5}}));
  EXPECT_EQ(Find("x", ""), Ranges{});
}

TEST(RegexTest, EmptyMatchesAdvanceByWholeCharacters) {
  EXPECT_EQ(Find("b*", "éb"), (Ranges{{0, 0}, {2, 3}}));
  EXPECT_EQ(Find("", "éa"), (Ranges{{0, 0}, {2, 2}, {3, 3}}));
}

TEST(RegexTest, LiteralsAreNotPatterns) {
  EXPECT_EQ(Find("a+[", "aa+[", Regex::Syntax::kLiteral), (Ranges{{1, 4}}));
}

TEST(RegexTest, SaysWhereAPatternIsWrong) {
  const auto regex = Regex::Compile("a(b", Regex::Syntax::kPcre2);
  EXPECT_EQ(regex.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Message(regex.status()).find("missing closing parenthesis, at byte 3"),
            std::string::npos)
      << Message(regex.status());
}

// Needs more stack than compiled patterns have: falls back to the interpreter, same answer.
TEST(RegexTest, DeepBacktrackingIsNoError) {
  const std::string text(200'000, 'a');
  EXPECT_EQ(Find("(?:a|b)+c|a+", text), (Ranges{{0, text.size()}}));
}

TEST(RegexTest, ExponentialBacktrackingEndsWithAnError) {
  const auto regex = Regex::Compile("(?:a|aa)+c|x", Regex::Syntax::kPcre2);
  std::vector<TextRange> matches;
  const absl::Status status = regex->FindAll(std::string(100, 'a') + "x", matches);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(Message(status).find("gave up on a text of 101 bytes"), std::string::npos);
}

}  // namespace
}  // namespace engram
