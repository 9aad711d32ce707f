// SPDX-License-Identifier: Apache-2.0
#include "config/engram_storage_json.h"

#include <fstream>
#include <string>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::HasSubstr;

EngramStorageOptions Parse(const std::string& text) {
  const auto options = ParseEngramStorage(text);
  EXPECT_TRUE(options.ok()) << text << ": " << options.status();
  return options.value_or(EngramStorageOptions{});
}

std::string ErrorOf(const std::string& text) {
  const absl::Status status = ParseEngramStorage(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return Message(status);
}

TEST(EngramStorageJsonTest, EveryKey) {
  const EngramStorageOptions options = Parse(R"({
    "placement": "nvme", "ram_budget": "12GiB", "threads": 3, "queue_depth": 128,
    "cache_bytes": 1048576, "huge_pages": "require",
    "keeper": "/run/engram/tables.sock"})");
  EXPECT_EQ(options.placement, EngramPlacement::kNvme);
  EXPECT_EQ(options.keeper, "/run/engram/tables.sock");
  EXPECT_EQ(options.ram_budget_bytes, std::int64_t{12} << 30);
  EXPECT_EQ(options.threads, 3);
  EXPECT_EQ(options.queue_depth, 128);
  EXPECT_EQ(options.cache_bytes, 1 << 20);
  EXPECT_EQ(options.huge_pages, HugePages::kRequire);
}

TEST(EngramStorageJsonTest, EveryWord) {
  EXPECT_EQ(Parse(R"({"placement": "auto"})").placement, EngramPlacement::kAuto);
  EXPECT_EQ(Parse(R"({"placement": "ram"})").placement, EngramPlacement::kRam);
  EXPECT_EQ(Parse(R"({"placement": "mmap"})").placement, EngramPlacement::kMapped);
  EXPECT_EQ(Parse(R"({"huge_pages": "auto"})").huge_pages, HugePages::kAuto);
  EXPECT_EQ(Parse(R"({"huge_pages": "off"})").huge_pages, HugePages::kOff);
  EXPECT_EQ(Parse(R"({"ram_budget": "auto"})").ram_budget_bytes, 0);
  EXPECT_EQ(Parse(R"({"threads": "auto"})").threads, 0);
}

TEST(EngramStorageJsonTest, WhatIsLeftOutIsTheDefault) {
  const EngramStorageOptions options = Parse("{}");
  const EngramStorageOptions defaults;
  EXPECT_EQ(ShowEngramStorage(options), ShowEngramStorage(defaults));
  EXPECT_EQ(ShowEngramStorage(defaults),
            R"({"placement":"auto","ram_budget":"auto","threads":"auto","queue_depth":64,)"
            R"("cache_bytes":"256MiB","huge_pages":"auto","keeper":""})");
}

TEST(EngramStorageJsonTest, WhatIsShownIsReadBack) {
  const std::string text = R"({"placement":"ram","ram_budget":"20GiB","threads":8,"queue_depth":1,)"
                           R"("cache_bytes":"512MiB","huge_pages":"off",)"
                           R"("keeper":"/run/k"})";
  EXPECT_EQ(ShowEngramStorage(Parse(text)), text);
}

TEST(EngramStorageJsonTest, FromAFile) {
  const std::string path = testing::TempDir() + "/engram.json";
  std::ofstream(path) << R"({"placement": "mmap"} // where it is)";
  EXPECT_EQ(Parse("@" + path).placement, EngramPlacement::kMapped);
  EXPECT_FALSE(ParseEngramStorage("@" + path + ".not").ok());
}

TEST(EngramStorageJsonTest, ErrorsNameTheKey) {
  EXPECT_THAT(ErrorOf(R"({"placment": "ram"})"),
              HasSubstr("unknown key \"placment\"; did you mean \"placement\"?"));
  EXPECT_THAT(ErrorOf(R"({"placement": "tape"})"), HasSubstr("key \"placement\": "));
  EXPECT_THAT(ErrorOf(R"({"placement": ["ram"]})"),
              HasSubstr("key \"placement\": [\"ram\"] is not a string or a number"));
  EXPECT_THAT(ErrorOf(R"({"queue_depth": 0})"), HasSubstr("key \"queue_depth\": 0 is not in [1, "));
  EXPECT_THAT(ErrorOf(R"({"queue_depth": 1.5})"), HasSubstr("not a whole number"));
  EXPECT_THAT(ErrorOf(R"({"threads": -1})"), HasSubstr("key \"threads\""));
  EXPECT_THAT(ErrorOf(R"({"ram_budget": "much"})"), HasSubstr("key \"ram_budget\""));
  EXPECT_THAT(ErrorOf(R"({"placement": "ram", "placement": "mmap"})"), HasSubstr("twice"));
  EXPECT_THAT(ErrorOf("ram"), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("not a JSON object"));
}

}  // namespace
}  // namespace engram
