// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_value.h"

#include <string>

#include "base/field_error.h"
#include "config/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::HasSubstr;

JsonDocument Parsed(std::string_view text) {
  auto document = JsonDocument::Parse(text);
  EXPECT_TRUE(document.ok()) << document.status();
  return *std::move(document);
}

// Where the error says that the text goes wrong; "" if it parses.
std::string WrongAt(std::string_view text) {
  const auto document = JsonDocument::Parse(text);
  if (document.ok()) return "";
  EXPECT_EQ(ErrorCodeOf(document.status()), "invalid_json");
  return FieldOf(document.status()).value_or("no field");
}

TEST(JsonValue, ReadsEveryKind) {
  const JsonDocument document = Parsed(
      R"({"z": null, "b": true, "i": -7, "n": 1.5, "s": "a\u00fc\ud83d\ude42", "l": [1, "x"]})");
  const JsonValue root = document.root();
  EXPECT_TRUE(root.is(JsonKind::kObject));
  EXPECT_EQ(root.size(), 6u);
  EXPECT_TRUE(root.Find("z")->is(JsonKind::kNull));
  EXPECT_TRUE(root.Find("b")->Bool());
  EXPECT_EQ(root.Find("i")->Integer(), -7);
  EXPECT_EQ(root.Find("n")->Number(), 1.5);
  EXPECT_EQ(root.Find("s")->String(), "aü🙂");
  EXPECT_EQ(root.Find("l")->At(1).String(), "x");
  EXPECT_FALSE(root.Find("absent").has_value());
  EXPECT_EQ(root.Members().front().first, "b");
}

TEST(JsonValue, ClampsIntegersThatNoInt64Holds) {
  const JsonDocument document = Parsed(
      "[9223372036854775807, 9223372036854775808, 18446744073709551615, "
      "-9223372036854775808, 99999999999999999999]");
  const JsonValue list = document.root();
  EXPECT_TRUE(list.At(0).FitsInt64());
  EXPECT_FALSE(list.At(1).FitsInt64());
  EXPECT_EQ(list.At(1).Integer(), INT64_MAX);
  EXPECT_EQ(list.At(2).Integer(), INT64_MAX);
  EXPECT_EQ(list.At(3).Integer(), INT64_MIN);
  EXPECT_TRUE(list.At(4).is(JsonKind::kNumber));  // larger ones are numbers
}

TEST(JsonValue, TheLastOfEqualKeysCounts) {
  EXPECT_EQ(Parsed(R"({"a": 1, "a": 2})").root().Find("a")->Integer(), 2);
}

TEST(JsonValue, SkipsAByteOrderMarkAndRefusesOtherEncodings) {
  EXPECT_EQ(Parsed("\xef\xbb\xbf[1]").root().size(), 1u);
  EXPECT_EQ(WrongAt(std::string_view("\xff\xfe[\0]\0", 6)), "body.0");
  EXPECT_EQ(WrongAt(std::string_view("[\0]\0", 4)), "body.0");
  EXPECT_EQ(WrongAt(std::string_view("\0[\0]", 4)), "body.0");
  EXPECT_NE(WrongAt("\"\xff\""), "");
}

TEST(JsonValue, SaysWhereTheTextGoesWrong) {
  EXPECT_EQ(WrongAt(R"({"model":"tiny","prompt":"a")"), "body.28");
  EXPECT_EQ(WrongAt(R"({"model":"tiny","prompt":"a",})"), "body.29");
  EXPECT_EQ(WrongAt(R"({"model":"tiny","prompt":"a"} x)"), "body.30");
  EXPECT_EQ(WrongAt("{'model':'tiny'}"), "body.1");
  EXPECT_EQ(WrongAt(R"({"model":"tiny", /* c */ "prompt":"a"})"), "body.17");
  EXPECT_EQ(WrongAt("{\"model\":\"tiny\",\"prompt\":\"a\nb\"}"), "body.27");
  EXPECT_NE(WrongAt(R"("a\qb")"), "");
  EXPECT_NE(WrongAt(R"("\ud800")"), "");  // half a surrogate pair
  EXPECT_NE(WrongAt("NaN"), "");
  EXPECT_NE(WrongAt("[Infinity]"), "");
  EXPECT_NE(WrongAt("[1e400]"), "");
  EXPECT_NE(WrongAt(std::string(5000, '9')), "");
  EXPECT_NE(WrongAt(""), "");
  const auto document = JsonDocument::Parse("[1,]");
  EXPECT_THAT(std::string(document.status().message()), HasSubstr("byte 3"));
  EXPECT_THAT(std::string(document.status().message()), testing::Not(HasSubstr("json.exception")));
}

TEST(JsonValue, BoundsTheDepthButNotInStrings) {
  const int max = limits::kJsonDepthMax;
  EXPECT_EQ(WrongAt(std::string(max, '[') + std::string(max, ']')), "");
  EXPECT_EQ(WrongAt(std::string(max + 1, '[') + std::string(max + 1, ']')),
            "body." + std::to_string(max));
  EXPECT_EQ(WrongAt(std::string(1'000'000, '[')), "body." + std::to_string(max));
  EXPECT_EQ(WrongAt('"' + std::string(100, '[') + "\\\"" + std::string(100, '[') + '"'), "");
}

TEST(JsonValue, DescribesItselfInAFewWords) {
  const JsonDocument document = Parsed(R"([null, true, 7, 1.5, "abc", [1, 2], {}])");
  const JsonValue list = document.root();
  EXPECT_EQ(list.At(0).Describe(), "null");
  EXPECT_EQ(list.At(1).Describe(), "a boolean (true)");
  EXPECT_EQ(list.At(2).Describe(), "an integer (7)");
  EXPECT_EQ(list.At(3).Describe(), "a number (1.5)");
  EXPECT_EQ(list.At(4).Describe(), "a string (\"abc\")");
  EXPECT_EQ(list.At(5).Describe(), "a list of 2");
  EXPECT_EQ(list.At(6).Describe(), "an object");
  EXPECT_EQ(Parsed('"' + std::string(1000, 'x') + '"').root().Describe(), "a string");
}

}  // namespace
}  // namespace engram
