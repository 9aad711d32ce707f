// SPDX-License-Identifier: Apache-2.0
#include "server/api_keys.h"

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::HasSubstr;

TEST(ApiKeysTest, WithoutKeysEverybodyMayComeIn) {
  const ApiKeys keys;
  EXPECT_FALSE(keys.required());
  EXPECT_TRUE(keys.Accepts(""));
  EXPECT_TRUE(keys.Accepts("Bearer whatever"));
}

TEST(ApiKeysTest, AcceptsEachKeyOfTheFile) {
  const auto keys = ApiKeys::Parse("# team one\nsk-one\n\n  sk-two \r\nsk-three");
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_TRUE(keys->required());
  EXPECT_TRUE(keys->Accepts("Bearer sk-one"));
  EXPECT_TRUE(keys->Accepts("Bearer sk-two"));
  EXPECT_TRUE(keys->Accepts("bearer  sk-three "));
}

TEST(ApiKeysTest, RefusesEverythingElse) {
  const auto keys = ApiKeys::Parse("sk-one\nsk-two\n");
  ASSERT_TRUE(keys.ok()) << keys.status();
  for (const char* header :
       {"", "Bearer", "Bearer ", "sk-one", "Basic sk-one", "Bearer sk-on", "Bearer sk-one1",
        "Bearer sk-onesk-two", "Bearer SK-ONE", "Bearer # x", "Bearersk-one"}) {
    EXPECT_FALSE(keys->Accepts(header)) << header;
  }
}

TEST(ApiKeysTest, AFileWithoutKeysIsAMistakeAndNotAnOpenDoor) {
  EXPECT_THAT(Message(ApiKeys::Parse("").status()), HasSubstr("no key"));
  EXPECT_THAT(Message(ApiKeys::Parse("\n# sk-one\n").status()), HasSubstr("no key"));
}

TEST(ApiKeysTest, NamesTheLineOfABrokenKeyButNotTheKey) {
  const std::string message = Message(ApiKeys::Parse("sk-one\nsk two\n").status());
  EXPECT_THAT(message, HasSubstr("line 2"));
  EXPECT_THAT(message, testing::Not(HasSubstr("two")));
  EXPECT_FALSE(ApiKeys::Parse("sk-\xc3\xa9").ok());
}

}  // namespace
}  // namespace engram
