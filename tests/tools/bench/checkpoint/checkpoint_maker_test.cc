// SPDX-License-Identifier: Apache-2.0
// A made checkpoint is one: the server's own code loads it, its tables are the formula's and its
// other weights are those of --load-format dummy. And what stops the maker says why.
#include "tools/bench/checkpoint/checkpoint_maker.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "base/strings.h"
#include "config/read_file.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/runtime/model_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/text/token_sources.h"
#include "server/text/tokenizer.h"
#include "tools/bench/checkpoint/generated_checkpoint.h"
#include "tools/bench/checkpoint/table_checker.h"
#include "tools/bench/checkpoint/tensor_list.h"

namespace engram::bench {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kTiny[] = "tests/testdata/tiny/engram_paper";

std::string NewDirectory(const std::string& name) {
  const std::string path = testing::TempDir() + "/" + name;
  fs::remove_all(path);
  fs::remove_all(path + ".partial");
  return path;
}

MakeCheckpointOptions Options(const std::string& out) {
  return {.config_path = std::string(kTiny) + "/config.json",
          .tokenizer_directory = kTiny,
          .out_directory = out,
          .seed = 11,
          .threads = 2};
}

absl::Status Make(const MakeCheckpointOptions& options) {
  const auto plan = PlanCheckpoint(options);
  if (!plan.ok()) return plan.status();
  return MakeCheckpoint(options, *plan, [](const std::string&, std::int64_t) {});
}

TEST(CheckpointMakerTest, TheServersCodeLoadsIt) {
  const std::string out = NewDirectory("loads");
  ASSERT_TRUE(Make(Options(out)).ok());
  EXPECT_FALSE(fs::exists(out + ".partial"));
  const auto tokenizer = Tokenizer::Load(out);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  ModelRuntimeOptions options;
  options.model_directory = out;
  options.backend = "ref";
  options.scheduler.max_num_seqs = 2;
  options.scheduler.max_num_batched_tokens = 32;
  const auto runtime = ModelRuntime::Load(options, BuildTokenMap(TokenSources(**tokenizer)),
                                          [](std::string_view) {});
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_EQ((*runtime)->memory_plan().tables_bytes, (4972 + 5344) * 8 * 4);
  EXPECT_GT((*runtime)->prefetch_stats().rows, 0u) << "the warm-up reads rows";
}

TEST(CheckpointMakerTest, OtherWeightsAreTheDummyOnes) {
  const std::string out = NewDirectory("weights");
  ASSERT_TRUE(Make(Options(out)).ok());
  const auto made = Checkpoint::Open(out);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto config = ModelConfig::Load(out);
  ASSERT_TRUE(config.ok());
  const auto dummy = Checkpoint::Dummy(11, config->dtype);
  const auto list = ListTensors(*config);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_GT(list->weights.size(), 100u);
  for (const TensorSpec& spec : list->weights) {
    const auto found = (*made)->Get(spec);
    ASSERT_TRUE(found.ok()) << found.status();
    const auto expected = dummy->Get(spec);
    EXPECT_EQ((*found)->dtype, (*expected)->dtype);
    ASSERT_TRUE(std::ranges::equal((*found)->bytes, (*expected)->bytes)) << spec.name;
  }
}

TEST(CheckpointMakerTest, EveryRowIsTheFormulas) {
  const std::string out = NewDirectory("rows");
  ASSERT_TRUE(Make(Options(out + "/")).ok());
  const auto checked = CheckTables(out, 1'000'000, 0);
  ASSERT_TRUE(checked.ok()) << checked.status();
  ASSERT_EQ(checked->size(), 2u);
  EXPECT_EQ(checked->at(0).layer_id, 1);
  EXPECT_EQ(checked->at(0).checked, 4972);
  EXPECT_EQ(checked->at(1).layer_id, 3);
  EXPECT_EQ(checked->at(1).checked, 5344);
  const auto some = CheckTables(out, 100, 1);
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->at(0).checked, 100);
}

// Rows of 8 values and a scale; the tables are two shards each.
TEST(CheckpointMakerTest, QuantizedTablesAreLoadedAndChecked) {
  for (const auto& [dtype, row_bytes] :
       {std::pair(DType::kF8E4M3, 8 + 1), std::pair(DType::kI8, 8 + 4)}) {
    const std::string out = NewDirectory("quantized");
    MakeCheckpointOptions made = Options(out);
    made.table_dtype = dtype;
    const absl::Status status = Make(made);
    ASSERT_TRUE(status.ok()) << status;
    const auto checked = CheckTables(out, 1'000'000, 0);
    ASSERT_TRUE(checked.ok()) << checked.status();
    EXPECT_EQ(checked->at(1).checked, 5344);
    ModelRuntimeOptions options;
    options.model_directory = out;
    options.backend = "cpu";
    options.scheduler.max_num_seqs = 2;
    options.scheduler.max_num_batched_tokens = 32;
    const auto runtime = ModelRuntime::Load(
        options, BuildTokenMap(TokenSources(**Tokenizer::Load(out))), [](std::string_view) {});
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    EXPECT_EQ((*runtime)->memory_plan().tables_bytes, (4972 + 5344) * row_bytes);
    {
      std::fstream file(out + "/model-engram-layer-3-scales.safetensors",
                        std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(4096 + 5000 * (row_bytes - 8));
      file.put('\x05');
    }
    EXPECT_THAT(Message(CheckTables(out, 1'000'000, 0).status()),
                HasSubstr("model-engram-layer-3-scales.safetensors: layer 3, row 5000"));
  }
}

TEST(CheckpointMakerTest, AWrongByteIsFoundAndNamed) {
  const std::string out = NewDirectory("wrong");
  ASSERT_TRUE(Make(Options(out)).ok());
  {
    std::fstream file(out + "/model-engram-layer-3.safetensors",
                      std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096 + 5000 * 32 + 7);  // row 5000: 8 values of f32 each
    file.put('!');
  }
  const absl::Status status = CheckTables(out, 1'000'000, 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(status), HasSubstr("model-engram-layer-3.safetensors: layer 3, row 5000"));
}

TEST(CheckpointMakerTest, OnlyMadeCheckpointsCanBeChecked) {
  EXPECT_THAT(Message(CheckTables(kTiny, 10, 0).status()), HasSubstr("make-checkpoint"));
}

TEST(CheckpointMakerTest, LeavesWhatIsThereAlone) {
  const std::string out = NewDirectory("there");
  fs::create_directory(out);
  EXPECT_THAT(Message(Make(Options(out))), HasSubstr("there exists already"));
  fs::rename(out, out + ".partial");
  EXPECT_THAT(Message(Make(Options(out))), HasSubstr("interrupted"));
  EXPECT_TRUE(fs::is_empty(out + ".partial"));
}

// A config.json with one value changed.
std::string ConfigWith(const std::string& from, const std::string& to) {
  std::string text = *ReadSmallFile(std::string(kTiny) + "/config.json", 1 << 20);
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  text.replace(at, from.size(), to);
  const std::string path = testing::TempDir() + "/config.json";
  std::ofstream(path) << text;
  return path;
}

TEST(CheckpointMakerTest, SaysWhatDoesNotFit) {
  const std::string out = NewDirectory("refused");
  const auto error_with = [&](const std::string& from, const std::string& to) {
    MakeCheckpointOptions options = Options(out);
    options.config_path = ConfigWith(from, to);
    return Message(Make(options));
  };
  EXPECT_THAT(error_with("\"vocab_size\": 2056", "\"vocab_size\": 2000"),
              HasSubstr("more than vocab_size, 2000"));
  EXPECT_THAT(error_with("\"engram_compressed_vocab_size\": 1737",
                         "\"engram_compressed_vocab_size\": 1700"),
              HasSubstr("1737"));
  EXPECT_THAT(error_with("4972", "4973"), HasSubstr("4973"));
  EXPECT_THAT(error_with("\"deepseek_v3_engram\"", "\"llama\""), HasSubstr("llama"));
  // 601 rows a lookup become a few hundred million: terabytes.
  EXPECT_THAT(error_with("\"engram_vocab_size\": 601,\n \"engram_num_embeddings\": [\n  4972,\n  "
                         "5344\n ],",
                         "\"engram_vocab_size\": 90000000000,"),
              HasSubstr("nothing was written"));
  MakeCheckpointOptions options = Options(out);
  options.tokenizer_directory = "no/such";
  EXPECT_THAT(Message(Make(options)), HasSubstr("no/such"));
  EXPECT_FALSE(fs::exists(out));
  EXPECT_FALSE(fs::exists(out + ".partial"));
}

// The shapes that docs/BENCHMARKING.md offers, planned but not written.
TEST(CheckpointMakerTest, TheOfferedShapesHaveTheSizesOfTheirNames) {
  for (const auto& [name, bytes] :
       {std::pair("tables_12gb", 12e9), std::pair("tables_20gb", 20e9)}) {
    const auto text = ReadSmallFile(std::string("tools/bench/models/") + name + ".json", 1 << 20);
    ASSERT_TRUE(text.ok()) << text.status();
    const auto config = ModelConfig::Parse(*text);
    ASSERT_TRUE(config.ok()) << config.status();
    const auto list = ListTensors(*config);
    ASSERT_TRUE(list.ok()) << list.status();
    double table_bytes = 0;
    for (const TensorSpec& spec : list->tables) {
      table_bytes += 2.0 * static_cast<double>(spec.shape[0]) * static_cast<double>(spec.shape[1]);
    }
    EXPECT_NEAR(table_bytes, bytes, 0.01 * bytes) << name;
  }
}

}  // namespace
}  // namespace engram::bench
