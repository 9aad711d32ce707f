// SPDX-License-Identifier: Apache-2.0
#include "server/http/lax_fields.h"

#include <string>

#include "base/field_error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename Read>
auto ReadOne(std::string_view text, Read read) {
  const auto document = JsonDocument::Parse(text);
  EXPECT_TRUE(document.ok()) << document.status();
  return read(document->root());
}

TEST(Lax, IntegersAsVllmTakesThem) {
  const auto integer = [](std::string_view text) { return ReadOne(text, LaxInteger); };
  EXPECT_EQ(integer("2"), 2);
  EXPECT_EQ(integer("2.0"), 2);
  EXPECT_EQ(integer("-0.0"), 0);
  EXPECT_EQ(integer("true"), 1);
  EXPECT_EQ(integer("false"), 0);
  EXPECT_EQ(integer("\"2\""), 2);
  EXPECT_EQ(integer("\" +2 \""), 2);
  EXPECT_EQ(integer("\"-2.00\""), -2);
  EXPECT_EQ(integer("1e30"), INT64_MAX);
  EXPECT_EQ(integer("-1e30"), INT64_MIN);
  EXPECT_EQ(integer("\"999999999999999999999\""), INT64_MAX);
  for (const char* bad : {"1.5", "\"abc\"", "\"\"", "\"1.5\"", "\"1e3\"", "\"+-1\"", "\".5\"",
                          "\"0x10\"", "null", "[1]", "{}"}) {
    EXPECT_EQ(integer(bad), std::nullopt) << bad;
  }
}

TEST(Lax, NumbersAreFinite) {
  const auto number = [](std::string_view text) { return ReadOne(text, LaxNumber); };
  EXPECT_EQ(number("2"), 2.0);
  EXPECT_EQ(number("\"0.5\""), 0.5);
  EXPECT_EQ(number("\" +5e-1\""), 0.5);
  EXPECT_EQ(number("true"), 1.0);
  for (const char* bad : {"\"hot\"", "\"nan\"", "\"inf\"", "\"1e999\"", "\"\"", "null", "[]"}) {
    EXPECT_EQ(number(bad), std::nullopt) << bad;
  }
}

TEST(Lax, Booleans) {
  const auto boolean = [](std::string_view text) { return ReadOne(text, LaxBool); };
  for (const char* yes : {"true", "1", "1.0", "\"yes\"", "\"TRUE\"", "\"on\"", "\"t\"", "\"1\""}) {
    EXPECT_EQ(boolean(yes), true) << yes;
  }
  for (const char* no : {"false", "0", "0.0", "\"no\"", "\"Off\"", "\"f\"", "\"n\"", "\"0\""}) {
    EXPECT_EQ(boolean(no), false) << no;
  }
  for (const char* bad : {"7", "-1", "\"maybe\"", "\"\"", "null", "[]"}) {
    EXPECT_EQ(boolean(bad), std::nullopt) << bad;
  }
}

TEST(Lax, IntegerKeysAsPythonReadsThem) {
  EXPECT_EQ(IntegerFromText(" +2058 "), 2058);
  EXPECT_EQ(IntegerFromText("-1"), -1);
  EXPECT_EQ(IntegerFromText("2058.0"), std::nullopt);
  EXPECT_EQ(IntegerFromText("abc"), std::nullopt);
  EXPECT_EQ(IntegerFromText("+"), std::nullopt);
  EXPECT_EQ(IntegerFromText(" "), std::nullopt);
  EXPECT_EQ(IntegerFromText("1 2"), std::nullopt);
}

class LaxFieldsTest : public testing::Test {
 protected:
  LaxFields Fields(std::string_view text) {
    auto document = JsonDocument::Parse(text);
    EXPECT_TRUE(document.ok());
    document_.emplace(*std::move(document));
    return LaxFields(document_->root(), "body", &errors_);
  }
  std::optional<JsonDocument> document_;
  FieldErrors errors_;
};

TEST_F(LaxFieldsTest, AbsentAndNullAreNothing) {
  const LaxFields fields = Fields(R"({"a": null})");
  EXPECT_EQ(fields.Integer("a"), std::nullopt);
  EXPECT_EQ(fields.Integer("b"), std::nullopt);
  EXPECT_EQ(fields.String("b", Null::kError), std::nullopt);
  EXPECT_FALSE(fields.Find("a").has_value());
  EXPECT_TRUE(errors_.ToStatus().ok());
  EXPECT_EQ(fields.Integer("a", Null::kError), std::nullopt);
  EXPECT_EQ(FieldOf(errors_.ToStatus()), "body.a");
}

TEST_F(LaxFieldsTest, NamesAllIllTypedFieldsAndTheFirstAsTheParameter) {
  const LaxFields fields =
      Fields(R"({"max_tokens": "abc", "temperature": "hot", "model": 5, "engram": {"gates": 7}})");
  fields.Integer("max_tokens");
  fields.Number("temperature");
  fields.String("model");
  fields.Object("engram")->Bool("gates");
  const absl::Status status = errors_.ToStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(status), "body.max_tokens");
  EXPECT_EQ(ErrorCodeOf(status), "invalid_type");
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("max_tokens must be an integer, got a string (\"abc\")"));
  EXPECT_THAT(message, HasSubstr("temperature must be a number"));
  EXPECT_THAT(message, HasSubstr("model must be a string, got an integer (5)"));
  EXPECT_THAT(message, HasSubstr("engram.gates must be a boolean"));
}

TEST_F(LaxFieldsTest, TheMessageStaysShortHoweverManyFieldsAreWrong) {
  const LaxFields fields = Fields(R"({"a": "x"})");
  for (int i = 0; i < 1000; ++i) fields.Integer("a");
  EXPECT_LT(errors_.ToStatus().message().size(), 1000u);
  EXPECT_THAT(std::string(errors_.ToStatus().message()), HasSubstr("992 more"));
}

TEST_F(LaxFieldsTest, TokenIdsAreClampedOutOfEveryVocabulary) {
  const LaxFields fields = Fields(R"({"ids": [5, "6", 7.0, 99999999999, -1], "bad": [1, 1.5]})");
  EXPECT_THAT(*fields.TokenIds("ids"), ElementsAre(5, 6, 7, INT32_MAX, -1));
  EXPECT_EQ(fields.TokenIds("bad"), std::nullopt);
  EXPECT_EQ(FieldOf(errors_.ToStatus()), "body.bad.1");
}

}  // namespace
}  // namespace engram
