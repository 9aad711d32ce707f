// SPDX-License-Identifier: Apache-2.0
// Rows against every reference there is (the specification's examples, DeepSeek's demo code, the
// tiny checkpoints, the demo model), and the property that serving rests on: it does not matter how
// a sequence is cut into chunks.
#include "engine/engram/ngram_hasher.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/reference.h"
#include "tests/testing/tensors.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::CheckpointEngramConfig;
using testing_support::DemoConfig;
using testing_support::ModuleEngramConfig;
using testing_support::Paper27BConfig;
using testing_support::ReferenceTokenMap;
using testing_support::RowsByDefinition;
using testing_support::TensorFile;

NgramHasher MakeHasher(const EngramConfig& config, TokenMap token_map) {
  auto hasher = NgramHasher::Create(config, std::move(token_map));
  EXPECT_TRUE(hasher.ok()) << hasher.status();
  return *std::move(hasher);
}

// [tokens, H] rows of `tokens`, which follow `lookback`.
std::vector<std::int64_t> Rows(const NgramHasher& hasher, int layer_index,
                               std::span<const std::int32_t> lookback,
                               std::span<const std::int32_t> tokens) {
  std::vector<std::int32_t> window(hasher.lookback() + tokens.size());
  hasher.FillWindow(lookback, tokens, window);
  std::vector<std::int64_t> rows(tokens.size() * hasher.lookups());
  hasher.HashRows(layer_index, window, rows.data());
  return rows;
}

// As a scheduler does it: chunk after chunk, each with the lookback that StepPlan carries.
std::vector<std::int64_t> RowsInChunks(const NgramHasher& hasher, int layer_index,
                                       std::span<const std::int32_t> tokens,
                                       std::span<const std::size_t> chunk_sizes) {
  std::vector<std::int64_t> rows;
  std::size_t start = 0;
  for (const std::size_t size : chunk_sizes) {
    const std::size_t before = std::min<std::size_t>(start, hasher.lookback());
    const std::vector<std::int64_t> chunk = Rows(
        hasher, layer_index, tokens.subspan(start - before, before), tokens.subspan(start, size));
    rows.insert(rows.end(), chunk.begin(), chunk.end());
    start += size;
  }
  EXPECT_EQ(start, tokens.size());
  return rows;
}

std::vector<std::int64_t> LastOf(const std::vector<std::int64_t>& rows, int lookups) {
  return {rows.end() - lookups, rows.end()};
}

const std::vector<std::int32_t> kSpecTokens = {0, 100, 2000, 30000, 128000, 100};

TEST(NgramHasherTest, SpecificationExampleDemo) {
  const NgramHasher hasher = MakeHasher(DemoConfig(), ReferenceTokenMap("deepseek_v3"));
  std::vector<std::int32_t> compressed(6 + 2);
  hasher.FillWindow({}, kSpecTokens, compressed);
  EXPECT_THAT(compressed, ElementsAre(2, 2, 0, 74, 1703, 6255, 97812, 74));

  const std::vector<std::int64_t> rows = Rows(hasher, 0, {}, kSpecTokens);
  EXPECT_THAT(LastOf(rows, 16),
              ElementsAre(139652, 652596, 1781472, 2502384, 2760199, 3315512, 4079555, 4574465,
                          5251356, 6209400, 6595384, 7251190, 8198311, 9036419, 9593720, 10265484));
}

TEST(NgramHasherTest, SpecificationExampleAtTheSequenceStart) {
  const EngramConfig config = DemoConfig();
  const NgramHasher hasher = MakeHasher(config, ReferenceTokenMap("deepseek_v3"));
  const EngramTableLayout layout = MakeEngramTableLayouts(config)->front();
  std::vector<std::int64_t> in_table = Rows(hasher, 0, {}, std::span(kSpecTokens).first(1));
  for (int l = 0; l < 16; ++l) in_table[l] -= layout.offsets[l];
  EXPECT_THAT(in_table, ElementsAre(525894, 395172, 559165, 204669, 374248, 80933, 214739, 170590,
                                    167317, 190172, 226935, 49676, 513067, 151339, 66287, 605785));
}

TEST(NgramHasherTest, SpecificationExample27B) {
  const EngramConfig config = Paper27BConfig();
  const NgramHasher hasher = MakeHasher(config, ReferenceTokenMap("deepseek_v3"));
  const EngramTableLayout layout = MakeEngramTableLayouts(config)->back();
  std::vector<std::int64_t> in_table = LastOf(Rows(hasher, 1, {}, kSpecTokens), 16);
  for (int l = 0; l < 16; ++l) in_table[l] -= layout.offsets[l];
  EXPECT_THAT(in_table,
              ElementsAre(91251, 1134700, 2246899, 522653, 1717698, 1110042, 1430417, 869086, 34971,
                          1182956, 1985760, 795201, 1734006, 1654579, 1999390, 1785394));
}

TEST(NgramHasherTest, DemoCodeOnMultilingualText) {
  const TensorFile golden =
      TensorFile::Load("tests/testdata/modules/ngram_rows_deepseek_v3.safetensors");
  const std::vector<std::int32_t> tokens = golden.I32("input_ids");
  const auto expect_rows = [&](const EngramConfig& config, const std::string& name) {
    const NgramHasher hasher = MakeHasher(config, ReferenceTokenMap("deepseek_v3"));
    for (std::size_t i = 0; i < config.layer_ids.size(); ++i) {
      const std::string prefix = name + ".layer" + std::to_string(config.layer_ids[i]);
      EXPECT_EQ(Rows(hasher, static_cast<int>(i), {}, tokens), golden.I64(prefix + ".rows"))
          << prefix;
    }
  };
  expect_rows(DemoConfig(), "demo");
  expect_rows(Paper27BConfig(), "engram27b");
}

TEST(NgramHasherTest, ModuleVectors) {
  for (const char* name : {"engram_layer_paper", "engram_layer_demo", "engram_layer_plain"}) {
    SCOPED_TRACE(name);
    const std::string file = std::string(name) + ".safetensors";
    const TensorFile golden = TensorFile::Load("tests/testdata/modules/" + file);
    const NgramHasher hasher = MakeHasher(ModuleEngramConfig(file), ReferenceTokenMap("tiny"));
    EXPECT_EQ(Rows(hasher, 0, {}, golden.I32("input_ids")), golden.I64("rows"));
  }
}

// A map that knows the tokens of the goldens alone; the tokenizer's own is tested with the
// tokenizer.
TokenMap MapOfGoldens(const TensorFile& golden, std::int32_t compressed_size) {
  std::vector<std::int32_t> raw_to_compressed(8192, 0);
  raw_to_compressed[2] = 2;  // the pad token
  for (int p = 0; golden.Has("p" + std::to_string(p) + ".input_ids"); ++p) {
    const std::string prompt = "p" + std::to_string(p) + ".";
    const std::vector<std::int32_t> raw = golden.I32(prompt + "input_ids");
    const std::vector<std::int32_t> compressed = golden.I32(prompt + "compressed_ids");
    for (std::size_t i = 0; i < raw.size(); ++i) raw_to_compressed[raw[i]] = compressed[i];
  }
  return TokenMap(std::move(raw_to_compressed), compressed_size);
}

void ExpectCheckpointRows(const EngramConfig& config, const TokenMap& token_map,
                          const TensorFile& golden, int prompts) {
  const NgramHasher hasher = MakeHasher(config, token_map);
  for (int p = 0; p < prompts; ++p) {
    const std::string prompt = "p" + std::to_string(p) + ".";
    const std::vector<std::int32_t> tokens = golden.I32(prompt + "input_ids");
    std::vector<std::int32_t> window(tokens.size() + hasher.lookback());
    hasher.FillWindow({}, tokens, window);
    EXPECT_EQ(std::vector(window.begin() + hasher.lookback(), window.end()),
              golden.I32(prompt + "compressed_ids"));
    for (std::size_t i = 0; i < config.layer_ids.size(); ++i) {
      const std::string name = prompt + "engram." + std::to_string(config.layer_ids[i]) + ".rows";
      EXPECT_EQ(Rows(hasher, static_cast<int>(i), {}, tokens), golden.I64(name)) << name;
    }
  }
}

TEST(NgramHasherTest, TinyCheckpoints) {
  for (const char* name : {"engram_paper", "engram_demo_profile", "engram_plain"}) {
    SCOPED_TRACE(name);
    const std::string directory = std::string("tests/testdata/tiny/") + name;
    ExpectCheckpointRows(CheckpointEngramConfig(directory), ReferenceTokenMap("tiny"),
                         TensorFile::Load(directory + "/golden.safetensors"), 5);
  }
}

TEST(NgramHasherTest, DemoModel) {
  const TensorFile golden = TensorFile::Load("tests/testdata/engram-demo/golden.safetensors");
  const EngramConfig config = CheckpointEngramConfig("models/engram-demo");
  ExpectCheckpointRows(config, MapOfGoldens(golden, config.compressed_vocab_size), golden, 6);
}

TEST(NgramHasherTest, AnyChunkingGivesTheSameRows) {
  std::mt19937 random(20);
  for (const int max_ngram_size : {2, 3, 4}) {
    EngramConfig config;
    config.layer_ids = {0, 5};
    config.max_ngram_size = max_ngram_size;
    config.heads = 3;
    config.vocab_sizes.assign(config.orders(), 997);
    config.pad_token_id = 1043;
    const NgramHasher hasher = MakeHasher(config, ReferenceTokenMap("tiny"));
    for (int trial = 0; trial < 200; ++trial) {
      std::vector<std::int32_t> tokens(1 + random() % 40);
      for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random() % 2056);
      std::vector<std::size_t> chunks;
      for (std::size_t left = tokens.size(); left > 0; left -= chunks.back()) {
        chunks.push_back(1 + random() % std::min<std::size_t>(left, 1 + random() % 8));
      }
      const int layer = static_cast<int>(random() % 2);
      EXPECT_EQ(RowsInChunks(hasher, layer, tokens, chunks), Rows(hasher, layer, {}, tokens));
    }
  }
}

// A prefix hit or a preemption restarts a sequence anywhere, with the tokens before it as lookback.
TEST(NgramHasherTest, AnyResumptionGivesTheRowsOfTheWhole) {
  const NgramHasher hasher = MakeHasher(DemoConfig(), ReferenceTokenMap("deepseek_v3"));
  const TensorFile golden =
      TensorFile::Load("tests/testdata/modules/ngram_rows_deepseek_v3.safetensors");
  const std::vector<std::int32_t> tokens = golden.I32("input_ids");
  const std::vector<std::int64_t> whole = golden.I64("demo.layer1.rows");
  for (std::size_t start = 0; start < tokens.size(); start += 7) {
    // More lookback than is needed does no harm.
    for (const std::size_t spare : {0, 1, 3}) {
      const std::size_t before = std::min(start, 2 + spare);
      EXPECT_EQ(Rows(hasher, 0, std::span(tokens).subspan(start - before, before),
                     std::span(tokens).subspan(start)),
                std::vector<std::int64_t>(whole.begin() + start * 16, whole.end()));
    }
  }
}

TEST(NgramHasherTest, PrimesOfEverySize) {
  std::mt19937_64 random(7);
  for (const std::int64_t base :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{641}, std::int64_t{78'125'000},
        std::int64_t{1} << 31, std::int64_t{1} << 35}) {
    EngramConfig config;
    config.layer_ids = {3};
    config.vocab_sizes = {base, base};
    const TokenMap token_map = ReferenceTokenMap("deepseek_v3");
    const NgramHasher hasher = MakeHasher(config, token_map);
    std::vector<std::int32_t> tokens(500);
    for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random() % 128'815);
    const HashMultipliers multipliers = MakeHashMultipliers(0, 3, token_map.compressed_size(), 3);
    EXPECT_EQ(Rows(hasher, 0, {}, tokens),
              RowsByDefinition(config, token_map, MakeEngramTableLayouts(config)->front().primes,
                               multipliers, tokens));
  }
}

TEST(NgramHasherTest, IdsBeyondTheTokenizerCountAsPads) {
  const EngramConfig config = CheckpointEngramConfig("tests/testdata/tiny/engram_plain");
  ASSERT_EQ(config.pad_token_id, 1043);
  const NgramHasher hasher = MakeHasher(config, ReferenceTokenMap("tiny"));
  const std::vector<std::int32_t> padded = {7, 2048, 2055, 9};
  const std::vector<std::int32_t> pads = {7, 1043, 1043, 9};
  EXPECT_EQ(Rows(hasher, 1, {}, padded), Rows(hasher, 1, {}, pads));
  EXPECT_EQ(hasher.Compress(2055), ReferenceTokenMap("tiny").Compress(1043));
}

TEST(NgramHasherTest, CreateRefusesWhatDoesNotFit) {
  EngramConfig config = DemoConfig();
  EXPECT_THAT(Message(NgramHasher::Create(config, ReferenceTokenMap("tiny")).status()),
              HasSubstr("engram_compressed_vocab_size is 98627"));
  config.num_embeddings[0] = 1;
  EXPECT_THAT(Message(NgramHasher::Create(config, ReferenceTokenMap("deepseek_v3")).status()),
              HasSubstr("Engram layer 1: engram_num_embeddings declares 1 rows"));
}

TEST(NgramHasherDeathTest, ANegativeIdIsNeverHashed) {
  const NgramHasher hasher = MakeHasher(DemoConfig(), ReferenceTokenMap("deepseek_v3"));
  EXPECT_DEATH(hasher.Compress(-1), "raw >= 0");
}

}  // namespace
}  // namespace engram
