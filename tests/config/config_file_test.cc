// SPDX-License-Identifier: Apache-2.0
#include "config/config_file.h"

#include <fstream>

#include "base/strings.h"
#include "config/option_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ErrorOf(std::string_view json) {
  Config config;
  return Message(ApplyConfigJson(json, &config));
}

TEST(ConfigFileTest, SetsWhatItNamesAndNothingElse) {
  Config config;
  const absl::Status status = ApplyConfigJson(R"({
    // a comment
    "model": "m", "served-model-name": ["a", "b"], "max-num-seqs": 7, "kv-cache-memory": "512MiB",
    "enable-prefix-caching": false, "load-format": "dummy", "drain-timeout": 1.5, "threads": "auto",
    "engram-prefetch": "off", "seed": 18446744073709551615,
    "engram-config": {"placement": "nvme", "cache_bytes": "1GiB"}
  })",
                                              &config);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(config.model, "m");
  EXPECT_THAT(config.served_model_names, ElementsAre("a", "b"));
  EXPECT_EQ(config.scheduler.max_num_seqs, 7);
  EXPECT_EQ(config.kv_cache_bytes, 512 << 20);
  EXPECT_FALSE(config.scheduler.enable_prefix_caching);
  EXPECT_TRUE(config.dummy_weights);
  EXPECT_EQ(config.drain_timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(config.threads, 0);
  EXPECT_FALSE(config.engram_prefetch);
  EXPECT_EQ(config.seed, 18446744073709551615u);
  EXPECT_EQ(config.engram_storage.placement, EngramPlacement::kNvme);
  EXPECT_EQ(config.engram_storage.cache_bytes, 1 << 30);
  EXPECT_EQ(config.http_port, Config().http_port);
  EXPECT_TRUE(config.scheduler.enable_chunked_prefill);
}

TEST(ConfigFileTest, NamesKeyFoundAndAllowed) {
  EXPECT_EQ(ErrorOf(R"({"max-num-seqs": 0})"), "key \"max-num-seqs\": 0 is not in [1, 4096]");
  EXPECT_EQ(ErrorOf(R"({"max-num-seqs": true})"), "key \"max-num-seqs\": true is not a number");
  EXPECT_EQ(ErrorOf(R"({"max-num-seqs": 1.5})"),
            "key \"max-num-seqs\": '1.5' is not a whole number");
  EXPECT_EQ(ErrorOf(R"({"host": 5})"), "key \"host\": 5 is not a string");
  EXPECT_EQ(ErrorOf(R"({"enable-prefix-caching": "yes"})"),
            "key \"enable-prefix-caching\": \"yes\" is not true or false");
  EXPECT_EQ(ErrorOf(R"({"backend": "gpu"})"), "key \"backend\": 'gpu' is none of auto, cpu, ref");
  EXPECT_EQ(ErrorOf(R"({"engram-config": 5})"), "key \"engram-config\": 5 is not an object");
  EXPECT_EQ(ErrorOf(R"({"engram-config": {"place": "ram"}})"),
            "key \"engram-config\": unknown key \"place\"");
  EXPECT_EQ(ErrorOf(R"({"served-model-name": []})"),
            "key \"served-model-name\": [] is not a string or an array of strings");
  EXPECT_EQ(ErrorOf(R"({"served-model-name": [""]})"),
            "key \"served-model-name\": a name must not be empty");
}

TEST(ConfigFileTest, UnknownKeyIsAnErrorWithAHint) {
  EXPECT_EQ(ErrorOf(R"({"max_num_seqs": 3})"),
            "unknown key \"max_num_seqs\"; did you mean \"max-num-seqs\"?");
  EXPECT_EQ(ErrorOf(R"({"zzz": 3})"), "unknown key \"zzz\"");
  // Commands are no settings.
  EXPECT_THAT(ErrorOf(R"({"check-config": true})"), HasSubstr("unknown key"));
}

TEST(ConfigFileTest, RepeatedKeyIsAnError) {
  EXPECT_EQ(ErrorOf(R"({"seed": 1, "seed": 2})"), "key \"seed\" appears twice");
}

TEST(ConfigFileTest, RefusesWhatIsNoJsonObject) {
  EXPECT_THAT(ErrorOf("{\n\"seed\": }"), HasSubstr("line 2"));
  EXPECT_EQ(ErrorOf("[]"), "not a JSON object");
  EXPECT_THAT(ErrorOf(""), HasSubstr("not JSON"));
}

TEST(ConfigFileTest, MessageNamesTheFile) {
  Config config;
  EXPECT_THAT(Message(ApplyConfigFile("no/such.json", &config)),
              HasSubstr("no/such.json: No such file"));
  const std::string path = testing::TempDir() + "/bad.json";
  std::ofstream(path) << R"({"seed": "x"})";
  EXPECT_THAT(Message(ApplyConfigFile(path, &config)), HasSubstr("bad.json: key \"seed\""));
  EXPECT_FALSE(ApplyConfigFile(testing::TempDir(), &config).ok());
}

TEST(ConfigFileTest, PrintedConfigReadsBackAsTheSame) {
  Config config;
  const absl::Status status = ApplyConfigJson(
      R"({"model": "m", "served-model-name": "a", "kv-cache-memory": "3GB", "threads": 5,
          "enable-grpc-reflection": false, "watchdog": 0.25, "log-format": "json",
          "engram-config": {"placement": "ram", "ram_budget": "4GiB"}})",
      &config);
  ASSERT_TRUE(status.ok()) << status;
  const std::string printed = ConfigToJson(config);
  Config again;
  ASSERT_TRUE(ApplyConfigJson(printed, &again).ok()) << printed;
  EXPECT_EQ(ConfigToJson(again), printed);
  EXPECT_EQ(again.kv_cache_bytes, 3'000'000'000);
  EXPECT_EQ(again.engram_storage.ram_budget_bytes, std::int64_t{4} << 30);
  EXPECT_EQ(again.watchdog, std::chrono::milliseconds(250));
}

TEST(ConfigFileTest, ExamplesAreValid) {
  for (const char* name : {"container", "demo", "production"}) {
    Config config;
    const absl::Status status =
        ApplyConfigFile(std::string("config/examples/") + name + ".json", &config);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(CheckConsistent(config).ok()) << name;
  }
}

}  // namespace
}  // namespace engram
