// SPDX-License-Identifier: Apache-2.0
// What is a character, what is broken, what is only cut short.
#include "server/text/utf8.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(Utf8Test, EveryCodePointIsWhatWasWritten) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    AppendUtf8(c, text);
    const Utf8Unit unit = FirstUtf8Unit(text);
    ASSERT_EQ(unit.kind, Utf8Kind::kCharacter) << text;
    ASSERT_TRUE(unit.code_point == c) << text;
    ASSERT_EQ(unit.bytes, text.size());
    for (std::size_t bytes = 1; bytes < text.size(); ++bytes) {
      const Utf8Unit cut = FirstUtf8Unit(std::string_view(text).substr(0, bytes));
      ASSERT_EQ(cut.kind, Utf8Kind::kIncomplete) << text;
      ASSERT_EQ(cut.bytes, bytes);
    }
  }
}

TEST(Utf8Test, BrokenSequencesEndWhereWhatwgEndsThem) {
  struct Case {
    std::string bytes;
    std::size_t broken_bytes;
  };
  const std::vector<Case> cases = {
      {"\x80", 1},          {"\xBF", 1},
      {"\xC0\x80", 1},      {"\xC1\xBF", 1},
      {"\xC3(", 1},         {"\xE0\x80\x80", 1},
      {"\xE0\xA0(", 2},     {"\xED\xA0\x80", 1},
      {"\xED\x9F(", 2},     {"\xF0\x8F\x80", 1},
      {"\xF0\x9F\x98(", 3}, {"\xF4\x90\x80", 1},
      {"\xF4\x8F\xBF(", 3}, {"\xF5\x80\x80\x80", 1},
      {"\xFE", 1},          {"\xFF\xFF", 1},
  };
  for (const Case& c : cases) {
    const Utf8Unit unit = FirstUtf8Unit(c.bytes);
    EXPECT_EQ(unit.kind, Utf8Kind::kBroken) << testing::PrintToString(c.bytes);
    EXPECT_EQ(unit.bytes, c.broken_bytes) << testing::PrintToString(c.bytes);
  }
}

TEST(Utf8Test, RepairsEachBrokenSequenceOnce) {
  EXPECT_EQ(RepairedUtf8("a\xE2\x82z"), "a\uFFFDz");
  EXPECT_EQ(RepairedUtf8("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(RepairedUtf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate: no byte belongs
  EXPECT_EQ(RepairedUtf8("\xC3\xC3\xA9"), "\uFFFDé");
  EXPECT_EQ(RepairedUtf8("é😀"), "é😀");
  EXPECT_EQ(RepairedUtf8(""), "");
}

TEST(Utf8Test, KeepsBackOnlyWhatCouldBecomeACharacter) {
  std::string out;
  EXPECT_EQ(AppendRepairedUtf8("a\xF0\x9F\x98", out), 3u);
  EXPECT_EQ(out, "a");
  out.clear();
  EXPECT_EQ(AppendRepairedUtf8("a\xF5", out), 0u);  // no character begins so
  EXPECT_EQ(out, "a\uFFFD");
  out.clear();
  EXPECT_EQ(AppendRepairedUtf8("\xE2\x82\xE2", out), 1u);
  EXPECT_EQ(out, "\uFFFD");
}

TEST(Utf8Test, FindsTheFirstByteThatIsNoCharacter) {
  EXPECT_EQ(ValidUtf8Prefix("aé\xFFz"), 3u);
  EXPECT_EQ(ValidUtf8Prefix("aé"), 3u);
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_FALSE(IsValidUtf8("\xE2\x82"));
}

}  // namespace
}  // namespace engram
