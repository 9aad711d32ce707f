// SPDX-License-Identifier: Apache-2.0
// Where added tokens are found, and where not. The flags' finer points are held to Hugging Face in
// tokenizer_test (small_tokenizers.json).
#include "server/text/added_tokens.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

// "text|[id:token]|text": what Split found.
std::string Show(const AddedTokens& tokens, const std::string& text,
                 const std::vector<TextRange>& literal = {}) {
  std::string out;
  for (const TextSegment& segment : tokens.Split(text, literal)) {
    const std::string part = text.substr(segment.range.begin, segment.range.size());
    if (!out.empty()) out += "|";
    out += segment.added_id ? "[" + std::to_string(*segment.added_id) + ":" + part + "]" : part;
  }
  return out;
}

AddedTokens Plain(const std::vector<std::string>& contents) {
  std::vector<AddedToken> tokens;
  for (const std::string& content : contents) {
    tokens.push_back({.content = content, .id = static_cast<std::int32_t>(tokens.size())});
  }
  return AddedTokens(std::move(tokens));
}

TEST(AddedTokensTest, LeftmostThenLongest) {
  const AddedTokens tokens = Plain({"<a>", "<a><a>", "b<", "<a>c"});
  EXPECT_EQ(Show(tokens, "x<a>y"), "x|[0:<a>]|y");
  EXPECT_EQ(Show(tokens, "<a><a><a>"), "[1:<a><a>]|[0:<a>]");
  EXPECT_EQ(Show(tokens, "b<a>c"), "[2:b<]|a>c");
  EXPECT_EQ(Show(tokens, "<a>c<a>"), "[3:<a>c]|[0:<a>]");
  EXPECT_EQ(Show(tokens, ""), "");
  EXPECT_EQ(Show(tokens, "<a"), "<a");
}

TEST(AddedTokensTest, NormalizedOnesComeSecond) {
  const AddedTokens tokens(
      {{.content = "abcd", .id = 0, .normalized = true}, {.content = "cde", .id = 1}});
  EXPECT_EQ(Show(tokens, "abcde"), "ab|[1:cde]");
  EXPECT_EQ(Show(tokens, "abcd"), "[0:abcd]");
}

TEST(AddedTokensTest, StripFlagsTakeBlanks) {
  const AddedTokens tokens(
      {{.content = "<l>", .id = 0, .lstrip = true}, {.content = "<r>", .id = 1, .rstrip = true}});
  EXPECT_EQ(Show(tokens, "a \u3000<l> b"), "a|[0: \u3000<l>]| b");
  EXPECT_EQ(Show(tokens, "a <r>\n\u00a0b"), "a |[1:<r>\n\u00a0]|b");
  EXPECT_EQ(Show(tokens, "<r>  <l>"), "[1:<r>  ]|[0:<l>]");
}

TEST(AddedTokensTest, SingleWordsStandAlone) {
  const AddedTokens tokens({{.content = "cat", .id = 0, .single_word = true}});
  EXPECT_EQ(Show(tokens, "cat"), "[0:cat]");
  EXPECT_EQ(Show(tokens, "a cat!"), "a |[0:cat]|!");
  EXPECT_EQ(Show(tokens, "cats tomcat cat_ écat cat1 cat\u0301 \u200dcat"),
            "cats tomcat cat_ écat cat1 cat\u0301 \u200dcat");
}

TEST(AddedTokensTest, NothingIsFoundInLiteralText) {
  const AddedTokens tokens = Plain({"<a>", "a>"});
  const std::string text = "<a><a><a>";
  EXPECT_EQ(Show(tokens, text, {{0, 9}}), "<a><a><a>");
  EXPECT_EQ(Show(tokens, text, {{3, 6}}), "[0:<a>]|<a>|[0:<a>]");
  EXPECT_EQ(Show(tokens, text, {{0, 1}, {6, 9}}), "<|[1:a>]|[0:<a>]|<a>");
  EXPECT_EQ(Show(tokens, text, {{0, 0}, {4, 4}, {9, 9}}), "[0:<a>]|[0:<a>]|[0:<a>]");
}

// The client cannot finish a marker that the template began, or one from two messages.
TEST(AddedTokensTest, AMarkerAcrossABorderIsText) {
  const AddedTokens tokens = Plain({"<a>"});
  EXPECT_EQ(Show(tokens, "<a>", {{2, 3}}), "<a>");
  EXPECT_EQ(Show(tokens, "<a>", {{0, 1}}), "<a>");
  EXPECT_EQ(Show(tokens, "<a>", {{0, 2}, {2, 3}}), "<a>");
}

TEST(AddedTokensTest, LiteralRangesReachIntoTheSecondPass) {
  const AddedTokens tokens(
      {{.content = "<a>", .id = 0}, {.content = "<b>", .id = 1, .normalized = true}});
  EXPECT_EQ(Show(tokens, "<b><a><b><b>", {{6, 9}}), "[1:<b>]|[0:<a>]|<b>|[1:<b>]");
}

}  // namespace
}  // namespace engram
