// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/shard_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string ErrorOf(std::string_view json) {
  const auto index = ParseShardIndex(json);
  return index.ok() ? "parsed" : Message(index.status());
}

TEST(ShardIndexTest, ReadsTheWeightMapAndPassesOverTheRest) {
  const auto index = ParseShardIndex(
      R"({"metadata": {"total_size": 12, "deep": [{"weight_map": {"c": 1}}]},
          "weight_map": {"b": "model-2.safetensors", "a": "model-1.safetensors"},
          "after": {"x": "not/a/name"}})");
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_THAT(*index,
              ElementsAre(Pair("a", "model-1.safetensors"), Pair("b", "model-2.safetensors")));
}

TEST(ShardIndexTest, FileNamesMustStayInTheDirectory) {
  for (const char* name :
       {"../model.safetensors", "/etc/model.safetensors", "a/b.safetensors", "..", ".safetensors",
        ".hidden.safetensors", "model.bin", "", "a\\\\b.safetensors", "a\\u0000.safetensors"}) {
    EXPECT_THAT(ErrorOf(R"({"weight_map": {"w": ")" + std::string(name) + "\"}}"),
                HasSubstr("expected the plain name of a .safetensors file"))
        << name;
  }
}

TEST(ShardIndexTest, RefusesWhatIsNoIndex) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("no valid JSON"));
  EXPECT_THAT(ErrorOf("{} {}"), HasSubstr("no valid JSON"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("no 'weight_map'"));
  EXPECT_THAT(ErrorOf("3"), HasSubstr("no 'weight_map'"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": {}})"), HasSubstr("no 'weight_map' with tensors"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": 3})"), HasSubstr("something else than a file name"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": "x.safetensors"})"), HasSubstr("something else"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": ["x.safetensors"]})"), HasSubstr("something else"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": {"a": 3}})"), HasSubstr("at 'a'"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": {"a": null}})"), HasSubstr("at 'a'"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": {"a": {"b": "c.safetensors"}}})"), HasSubstr("at 'a'"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": {"a": ["c.safetensors"]}})"), HasSubstr("at 'a'"));
}

TEST(ShardIndexTest, RefusesWhatComesTwice) {
  EXPECT_THAT(ErrorOf(R"({"weight_map": {"a": "x.safetensors", "a": "x.safetensors"}})"),
              HasSubstr("names tensor 'a' twice"));
  EXPECT_THAT(ErrorOf(R"({"weight_map": {"a": "x.safetensors"},
                          "weight_map": {"b": "x.safetensors"}})"),
              HasSubstr("'weight_map' twice"));
}

TEST(ShardIndexTest, DeepNestingIsRefused) {
  EXPECT_THAT(ErrorOf(R"({"metadata": )" + std::string(100'000, '[')),
              HasSubstr("nests deeper than 64 levels"));
}

}  // namespace
}  // namespace engram
