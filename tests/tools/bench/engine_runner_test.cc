// SPDX-License-Identifier: Apache-2.0
// That runs of one kind do what their kind says; how fast is nobody's business here.
#include "tools/bench/engine_runner.h"

#include <cstdint>
#include <utility>

#include "engine/model/model_config.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

constexpr char kModel[] = "tests/testdata/tiny/engram_paper";
constexpr int kLayers = 2;
constexpr int kLookups = 8;  // of a token in a layer

EngineRunner Runner(bool both_ways, Lookups lookups = Lookups::kAhead) {
  const auto config = ModelConfig::Load(kModel);
  EXPECT_TRUE(config.ok()) << config.status();
  ModelRuntimeOptions options;
  options.model_directory = kModel;
  options.backend = "cpu";
  options.threads = 1;
  options.scheduler.max_num_seqs = 2;
  options.scheduler.max_num_batched_tokens = 64;
  options.scheduler.enable_prefix_caching = false;
  auto runner = EngineRunner::Load(
      {.runtime = std::move(options), .lookups = lookups, .both_ways = both_ways},
      RandomTokens(*config));
  EXPECT_TRUE(runner.ok()) << runner.status();
  return *std::move(runner);
}

EngineRun RunOf(Lookups lookups) {
  return {.batch = 2, .prompt_len = 5, .output_len = 4, .number = 7, .lookups = lookups};
}

TEST(EngineRunnerTest, EachKindOfLookupIsCountedAsItsOwn) {
  EngineRunner runner = Runner(/*both_ways=*/true);
  const std::uint64_t warm_up = runner.prefetch_stats(Lookups::kAhead).lookups;
  EXPECT_GT(runner.DecodeTokensPerSecond(RunOf(Lookups::kNone)), 0);
  EXPECT_EQ(runner.prefetch_stats(Lookups::kAhead).lookups, warm_up);
  EXPECT_EQ(runner.prefetch_stats(Lookups::kAtLayer).lookups, 0u);
  // The last token of an answer is not computed on.
  const std::uint64_t expected = 2 * (5 + 4 - 1) * kLayers * kLookups;
  EXPECT_GT(runner.DecodeTokensPerSecond(RunOf(Lookups::kAhead)), 0);
  EXPECT_EQ(runner.prefetch_stats(Lookups::kAhead).lookups, warm_up + expected);
  EXPECT_EQ(runner.prefetch_stats(Lookups::kAtLayer).lookups, 0u);
  EXPECT_GT(runner.DecodeTokensPerSecond(RunOf(Lookups::kAtLayer)), 0);
  EXPECT_EQ(runner.prefetch_stats(Lookups::kAtLayer).lookups, expected);
  EXPECT_EQ(runner.prefetch_stats(Lookups::kAhead).lookups, warm_up + expected);
}

TEST(EngineRunnerTest, APrefillHasOneTokenOfEachAnswer) {
  EngineRunner runner = Runner(/*both_ways=*/false, Lookups::kAtLayer);
  const std::uint64_t warm_up = runner.prefetch_stats(Lookups::kAtLayer).lookups;
  EXPECT_GT(runner.PrefillTokensPerSecond(RunOf(Lookups::kAtLayer)), 0);
  EXPECT_EQ(runner.prefetch_stats(Lookups::kAtLayer).lookups - warm_up,
            std::uint64_t{2 * 5 * kLayers * kLookups});
  EXPECT_EQ(runner.prefetch_stats(Lookups::kAhead).lookups, 0u);
}

}  // namespace
}  // namespace engram::bench
