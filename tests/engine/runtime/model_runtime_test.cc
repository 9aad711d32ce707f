// SPDX-License-Identifier: Apache-2.0
// What loading reports and refuses. What a loaded model computes is golden_test's.
#include "engine/runtime/model_runtime.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kDirectory[] = "tests/testdata/tiny/engram_paper";

TokenMap TinyTokenMap() {
  const auto map =
      testing_support::TensorFile::Load("tests/testdata/modules/token_map_tiny.safetensors");
  return TokenMap(map.I32("raw_to_compressed"), 1737);
}

ModelRuntimeOptions Options() {
  ModelRuntimeOptions options;
  options.model_directory = kDirectory;
  options.backend = "ref";
  options.scheduler.max_num_seqs = 4;
  options.scheduler.max_num_batched_tokens = 64;
  return options;
}

absl::StatusOr<std::unique_ptr<ModelRuntime>> Load(const ModelRuntimeOptions& options) {
  return ModelRuntime::Load(options, TinyTokenMap(), [](std::string_view) {});
}

std::string ErrorOf(const ModelRuntimeOptions& options) { return Message(Load(options).status()); }

TEST(ModelRuntimeTest, ReportsItsPhases) {
  std::vector<std::string> phases;
  const auto runtime = ModelRuntime::Load(
      Options(), TinyTokenMap(), [&](std::string_view phase) { phases.emplace_back(phase); });
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_THAT(phases, ElementsAre("opening", "weights", "cache", "tables", "warm-up"));
}

TEST(ModelRuntimeTest, CompletesTheSchedulersOptions) {
  const auto runtime = Load(Options());
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  const SchedulerOptions& options = (*runtime)->scheduler_options();
  EXPECT_EQ(options.max_model_len, 256);
  EXPECT_EQ(options.ngram_order_max, 3);
  EXPECT_EQ(options.block_count, 4 * 256 / 16);
  EXPECT_TRUE(ValidateSchedulerOptions(options).ok());
  EXPECT_EQ((*runtime)->backend_name(), "ref");
}

TEST(ModelRuntimeTest, PlanAddsUp) {
  const auto runtime = Load(Options());
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  const MemoryPlan& plan = (*runtime)->memory_plan();
  EXPECT_EQ(plan.tables_bytes, (4972 + 5344) * 8 * 4);
  EXPECT_GT(plan.weights_bytes, 2'000'000);
  EXPECT_LT(plan.weights_bytes, 3'000'000);
  // 4 layers of 40 floats a token; 2 Engram layers of 9 · 256 floats for 64 blocks, 4 slots, zeros.
  EXPECT_EQ(plan.cache_bytes, 1024 * 4 * 40 * 4 + (64 + 4 + 1) * 2 * 9 * 256 * 4);
  EXPECT_GT(plan.activation_bytes, 64 * 2 * 2056 * 4);
  EXPECT_EQ(plan.cache_tokens(), 1024);
}

TEST(ModelRuntimeTest, WarmUpHasReadTheTables) {
  const auto runtime = Load(Options());
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_EQ((*runtime)->prefetch_stats().steps, 1u);
  EXPECT_GT((*runtime)->prefetch_stats().rows, 0u);
}

TEST(ModelRuntimeTest, TablesLieWhereTheOptionsSay) {
  ModelRuntimeOptions options = Options();
  for (const auto& [placement, name] : {std::pair(EngramPlacement::kAuto, "ram"),
                                        std::pair(EngramPlacement::kRam, "ram"),
                                        std::pair(EngramPlacement::kMapped, "mmap"),
                                        std::pair(EngramPlacement::kNvme, "nvme")}) {
    options.engram_storage.placement = placement;
    const auto runtime = Load(options);
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    const MemoryPlan& plan = (*runtime)->memory_plan();
    EXPECT_EQ(plan.tables_storage, name);
    const std::vector<EngramTableStats> stats = (*runtime)->table_stats();
    ASSERT_EQ(stats.size(), 2u);
    for (const EngramTableStats& table : stats) EXPECT_EQ(table.tier, name);
    if (placement == EngramPlacement::kNvme) {
      EXPECT_EQ(plan.tables_memory_bytes, options.engram_storage.cache_bytes);
      EXPECT_GT(stats[0].disk_reads, 0u);
    } else {
      EXPECT_EQ(plan.tables_memory_bytes, std::string(name) == "ram" ? plan.tables_bytes : 0);
    }
  }
}

TEST(ModelRuntimeTest, TablesOverTheBudget) {
  ModelRuntimeOptions options = Options();
  options.engram_storage = {.placement = EngramPlacement::kRam, .ram_budget_bytes = 1000};
  const absl::Status status = Load(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(status), HasSubstr("raise ram_budget"));
}

TEST(ModelRuntimeTest, PlainModelNeedsNoTokenMap) {
  ModelRuntimeOptions options = Options();
  options.model_directory = "tests/testdata/tiny/deepseek_v3";
  const auto runtime = ModelRuntime::Load(options, TokenMap(), [](std::string_view) {});
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_EQ((*runtime)->scheduler_options().ngram_order_max, 1);
  EXPECT_EQ((*runtime)->prefetch_stats().steps, 0u);
}

TEST(ModelRuntimeTest, DummyWeightsNeedNoFilesButTheConfig) {
  ModelRuntimeOptions options = Options();
  options.dummy_weights = true;
  options.seed = 5;
  const auto runtime = Load(options);
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_EQ((*runtime)->config().num_layers, 4);
}

TEST(ModelRuntimeTest, MissingDirectory) {
  ModelRuntimeOptions options = Options();
  options.model_directory = "tests/testdata/tiny/nothing_here";
  EXPECT_THAT(ErrorOf(options), HasSubstr("nothing_here"));
}

TEST(ModelRuntimeTest, UnknownBackend) {
  ModelRuntimeOptions options = Options();
  options.backend = "abacus";
  EXPECT_THAT(ErrorOf(options), HasSubstr("\"abacus\""));
  EXPECT_THAT(ErrorOf(options), HasSubstr("cpu, ref"));
}

TEST(ModelRuntimeTest, LongerThanTheModel) {
  ModelRuntimeOptions options = Options();
  options.scheduler.max_model_len = 257;
  EXPECT_THAT(ErrorOf(options), HasSubstr("max-model-len is 257"));
  EXPECT_THAT(ErrorOf(options), HasSubstr("max_position_embeddings 256"));
}

TEST(ModelRuntimeTest, CacheThatHoldsNoSequence) {
  ModelRuntimeOptions options = Options();
  options.kv_cache_bytes = 10'000;
  const absl::Status status = Load(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(status), HasSubstr("kv-cache-memory"));
}

TEST(ModelRuntimeTest, OptionsThatDoNotGoTogether) {
  ModelRuntimeOptions options = Options();
  options.scheduler.enable_chunked_prefill = false;
  EXPECT_THAT(ErrorOf(options), HasSubstr("max_num_batched_tokens"));
}

TEST(ModelRuntimeTest, TokenizerOfAnotherModel) {
  std::vector<std::int32_t> map =
      testing_support::TensorFile::Load("tests/testdata/modules/token_map_tiny.safetensors")
          .I32("raw_to_compressed");
  const auto runtime =
      ModelRuntime::Load(Options(), TokenMap(std::move(map), 1736), [](std::string_view) {});
  EXPECT_THAT(Message(runtime.status()), HasSubstr("1737"));
}

}  // namespace
}  // namespace engram
