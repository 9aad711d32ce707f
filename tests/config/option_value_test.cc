// SPDX-License-Identifier: Apache-2.0
#include "config/option_value.h"

#include <chrono>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::int64_t kMax = std::int64_t{1} << 50;

TEST(ParseIntegerTest, TakesTheWholeRangeAndNothingElse) {
  EXPECT_EQ(*ParseInteger("1", 1, 10), 1);
  EXPECT_EQ(*ParseInteger("10", 1, 10), 10);
  EXPECT_EQ(Message(ParseInteger("11", 1, 10).status()), "11 is not in [1, 10]");
  EXPECT_EQ(Message(ParseInteger("0", 1, 10).status()), "0 is not in [1, 10]");
  for (const char* text : {"", "x", "1.5", "1x", "0x10", "99999999999999999999", "1e3"}) {
    EXPECT_THAT(Message(ParseInteger(text, 1, 10).status()), HasSubstr("not a whole number"))
        << text;
  }
}

TEST(ParseUnsignedTest, GoesUpToTheLast64BitNumber) {
  EXPECT_EQ(*ParseUnsigned("18446744073709551615"), 18446744073709551615u);
  EXPECT_FALSE(ParseUnsigned("18446744073709551616").ok());
  EXPECT_FALSE(ParseUnsigned("-1").ok());
}

TEST(ParseBytesTest, KnowsUnits) {
  EXPECT_EQ(*ParseBytes("1048576", 0, kMax), 1 << 20);
  EXPECT_EQ(*ParseBytes("512MiB", 0, kMax), 512 << 20);
  EXPECT_EQ(*ParseBytes("512 mib", 0, kMax), 512 << 20);
  EXPECT_EQ(*ParseBytes("2GB", 0, kMax), 2'000'000'000);
  EXPECT_EQ(*ParseBytes("1.5GiB", 0, kMax), 1536 << 20);
  EXPECT_EQ(*ParseBytes("3B", 0, kMax), 3);
}

TEST(ParseBytesTest, RefusesWhatIsNoSize) {
  for (const char* text : {"", "MiB", "12Q", "1.5", "-1", "1 2", "1..5GiB", "0.3B"}) {
    EXPECT_FALSE(ParseBytes(text, 0, kMax).ok()) << text;
  }
  EXPECT_EQ(Message(ParseBytes("1KiB", 1 << 20, 1 << 30).status()), "1KiB is not in [1MiB, 1GiB]");
}

TEST(ShowBytesTest, ReadsBackAsTheSame) {
  for (const std::int64_t bytes : {0L, 1L, 1023L, 1024L, 1536L << 20, 2'000'000'000L, 1L << 40}) {
    EXPECT_EQ(*ParseBytes(ShowBytes(bytes), 0, kMax), bytes) << ShowBytes(bytes);
  }
  EXPECT_EQ(ShowBytes(512 << 20), "512MiB");
}

TEST(ParseSecondsTest, TakesFractions) {
  EXPECT_EQ(*ParseSeconds("0.5", Duration::zero(), seconds(60)), milliseconds(500));
  EXPECT_EQ(*ParseSeconds("60", Duration::zero(), seconds(60)), seconds(60));
  EXPECT_EQ(Message(ParseSeconds("61", milliseconds(500), seconds(60)).status()),
            "61 is not in [0.5, 60] seconds");
  for (const char* text : {"", "x", "nan", "inf", "1s"}) {
    EXPECT_FALSE(ParseSeconds(text, Duration::zero(), seconds(60)).ok()) << text;
  }
}

TEST(ParseChoiceTest, ListsTheChoices) {
  EXPECT_EQ(*ParseChoice("cpu", {"auto", "cpu"}), 1);
  EXPECT_EQ(Message(ParseChoice("gpu", {"auto", "cpu"}).status()), "'gpu' is none of auto, cpu");
}

}  // namespace
}  // namespace engram
