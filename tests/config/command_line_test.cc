// SPDX-License-Identifier: Apache-2.0
#include "config/command_line.h"

#include <fstream>
#include <set>

#include "base/strings.h"
#include "config/option_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<CommandLine> Parse(std::vector<const char*> flags) {
  flags.insert(flags.begin(), "engram-server");
  return ParseCommandLine(static_cast<int>(flags.size()), flags.data(), "engram-server 1.2.3");
}

std::string ErrorOf(std::vector<const char*> flags) {
  return Message(Parse(std::move(flags)).status());
}

TEST(CommandLineTest, DefaultsAreSensible) {
  const auto line = Parse({"--model", "some/engram-demo/"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->command, Command::kServe);
  EXPECT_EQ(line->config.host, "127.0.0.1");
  EXPECT_EQ(line->config.http_port, 8000);
  EXPECT_EQ(line->config.grpc_port, 8001);
  EXPECT_THAT(line->config.served_model_names, ElementsAre("engram-demo"));
}

TEST(CommandLineTest, FlagsSetValues) {
  const auto line =
      Parse({"--model=m", "--served-model-name", "a", "b", "--port", "0",
             "--no-enable-prefix-caching", "--kv-cache-memory", "64MiB", "--max-model-len", "512",
             "--log-format", "json", "--seed", "1", "--seed", "2"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_THAT(line->config.served_model_names, ElementsAre("a", "b"));
  EXPECT_EQ(line->config.http_port, 0);
  EXPECT_FALSE(line->config.scheduler.enable_prefix_caching);
  EXPECT_TRUE(line->config.scheduler.enable_chunked_prefill);
  EXPECT_EQ(line->config.kv_cache_bytes, 64 << 20);
  EXPECT_EQ(line->config.scheduler.max_model_len, 512);
  EXPECT_TRUE(line->config.log_json);
  EXPECT_EQ(line->config.seed, 2u);  // the last one counts
}

TEST(CommandLineTest, FlagWinsOverFile) {
  const std::string path = testing::TempDir() + "/flags.json";
  std::ofstream(path) << R"({"model": "m", "max-num-seqs": 3, "max-num-batched-tokens": 100,
                             "enable-chunked-prefill": false})";
  const auto line =
      Parse({"--max-num-seqs", "5", "--config", path.c_str(), "--enable-chunked-prefill"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->config.model, "m");
  EXPECT_EQ(line->config.scheduler.max_num_seqs, 5);
  EXPECT_EQ(line->config.scheduler.max_num_batched_tokens, 100);
  EXPECT_TRUE(line->config.scheduler.enable_chunked_prefill);
}

TEST(CommandLineTest, ErrorsNameTheFlag) {
  EXPECT_EQ(ErrorOf({"--model", "m", "--max-num-seqs", "0"}),
            "--max-num-seqs: 0 is not in [1, 4096]");
  EXPECT_THAT(ErrorOf({"--model", "m", "--kv-cache-memory", "1KiB"}),
              HasSubstr("--kv-cache-memory: 1KiB is not in [1MiB"));
  EXPECT_EQ(ErrorOf({"--model", "m", "--http-port", "70000"}),
            "--http-port: 70000 is not in [0, 65535]");
  EXPECT_THAT(ErrorOf({"--model", "m", "--http-port"}), HasSubstr("--http-port"));
  EXPECT_THAT(ErrorOf({}), HasSubstr("--model is required"));
  EXPECT_THAT(ErrorOf({"--config", "no/such.json"}), HasSubstr("no/such.json"));
}

TEST(CommandLineTest, UnknownFlagGetsAHint) {
  EXPECT_EQ(ErrorOf({"--model", "m", "--max-num-seq", "3"}),
            "unknown flag --max-num-seq; did you mean --max-num-seqs?");
  EXPECT_EQ(ErrorOf({"--zzz=5"}), "unknown flag --zzz; see --help");
  EXPECT_EQ(ErrorOf({"models/engram-demo"}),
            "unexpected argument 'models/engram-demo'; see --help");
}

TEST(CommandLineTest, SettingsMustFitTogether) {
  EXPECT_EQ(ErrorOf({"--model", "m", "--http-port", "9", "--grpc-port", "9"}),
            "--http-port and --grpc-port are both 9");
  EXPECT_TRUE(Parse({"--model", "m", "--http-port", "0", "--grpc-port", "0"}).ok());
  EXPECT_THAT(ErrorOf({"--model", "m", "--no-enable-chunked-prefill", "--max-num-batched-tokens",
                       "100", "--max-model-len", "101"}),
              HasSubstr("--max-num-batched-tokens (100) must be at least --max-model-len (101)"));
  EXPECT_THAT(ErrorOf({"--model", "m", "--max-num-seqs", "9", "--max-num-batched-tokens", "8"}),
              HasSubstr("--max-num-batched-tokens (8) must be at least --max-num-seqs (9)"));
}

TEST(CommandLineTest, Commands) {
  EXPECT_EQ(Parse({"--model", "m", "--check-config"})->command, Command::kCheckConfig);

  const auto printed = Parse({"--max-num-seqs", "9", "--print-config"});
  ASSERT_TRUE(printed.ok()) << printed.status();
  EXPECT_EQ(printed->command, Command::kPrint);
  EXPECT_THAT(printed->text, HasSubstr("\"max-num-seqs\": 9"));

  const auto version = Parse({"--version"});
  EXPECT_EQ(version->command, Command::kPrint);
  EXPECT_EQ(version->text, "engram-server 1.2.3");
}

TEST(CommandLineTest, Healthcheck) {
  const auto line =
      Parse({"healthcheck", "--http-port", "9000", "--path", "/live", "--timeout", "0.5"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->command, Command::kHealthcheck);
  EXPECT_EQ(line->healthcheck.port, 9000);
  EXPECT_EQ(line->healthcheck.path, "/live");
  EXPECT_EQ(line->healthcheck.timeout, std::chrono::milliseconds(500));
  EXPECT_THAT(ErrorOf({"healthcheck", "--http-port", "0"}), HasSubstr("--http-port"));
  EXPECT_THAT(ErrorOf({"healthcheck", "--timeout", "x"}), HasSubstr("--timeout"));
  EXPECT_FALSE(Parse({"healthcheck", "--modle", "m"}).ok());
}

TEST(CommandLineTest, TableKeeper) {
  const auto line = Parse({"table-keeper", "--socket", "/run/t.sock", "--memory", "2GiB"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->command, Command::kTableKeeper);
  EXPECT_EQ(line->table_keeper.socket_path, "/run/t.sock");
  EXPECT_EQ(line->table_keeper.memory_bytes, std::int64_t{2} << 30);
  EXPECT_FALSE(line->table_keeper.list);
  EXPECT_EQ(Parse({"table-keeper", "--socket", "s", "--drop", "all"})->table_keeper.drop, "all");
  EXPECT_THAT(ErrorOf({"table-keeper"}), HasSubstr("--socket"));
  EXPECT_THAT(ErrorOf({"table-keeper", "--socket", "s", "--memory", "much"}),
              HasSubstr("--memory"));
  EXPECT_THAT(ErrorOf({"table-keeper", "--socket", "s", "--list", "--drop", "all"}),
              HasSubstr("--list"));
}

TEST(CommandLineTest, HelpListsEverySettingOnce) {
  const auto line = Parse({"--help"});
  ASSERT_TRUE(line.ok()) << line.status();
  std::set<std::string> names;
  for (const OptionSpec& option : AllOptions()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    const std::string shown = (option.kind == OptionKind::kBool ? "--[no-]" : "--") + option.name;
    EXPECT_THAT(line->text, HasSubstr(shown));
    EXPECT_FALSE(option.help.empty());
  }
  for (const char* word :
       {"--check-config", "--print-config", "--version", "healthcheck", "Exit status"}) {
    EXPECT_THAT(line->text, HasSubstr(word));
  }
}

}  // namespace
}  // namespace engram
