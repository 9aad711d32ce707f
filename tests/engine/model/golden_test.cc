// SPDX-License-Identifier: Apache-2.0
// Every tiny checkpoint and the demo model against what other implementations computed for them
// (tests/testdata/README.md has the tolerances and why they are not wider): residual streams,
// gates, Engram output, logits and greedy continuations, with the prompt in one step, in chunks of
// 7, and token by token.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "engine/engram/ngram_hasher.h"
#include "engine/model/model_config.h"
#include "engine/runtime/model_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/model/sequence_driver.h"
#include "tests/testing/tensors.h"
#include "tests/testing/token_maps.h"

namespace engram {
namespace {

using testing_support::Recording;
using testing_support::SequenceDriver;
using testing_support::TensorFile;
using testing_support::TokenMapOf;

// Both backends compute in float32 as the reference does, but for the order of its sums.
constexpr double kLogits = 2e-4;
constexpr double kHidden = 2e-4;
constexpr double kFinalNorm = 1e-4;
constexpr double kGates = 3e-5;
constexpr double kEngramOutput = 3e-5;

struct ModelFiles {
  std::string name;
  std::string directory;
  std::string golden;
};

ModelFiles Tiny(const std::string& name) {
  const std::string directory = "tests/testdata/tiny/" + name;
  return {name, directory, directory + "/golden.safetensors"};
}

ModelFiles Demo() {
  return {"engram_demo", "models/engram-demo", "tests/testdata/engram-demo/golden.safetensors"};
}

// Chunk sizes: the whole prompt, 7 tokens, 1 token.
constexpr int kWhole = 1 << 20;

class GoldenTest : public ::testing::TestWithParam<std::tuple<ModelFiles, std::string, int>> {
 protected:
  void SetUp() override {
    const auto& [files, backend, chunk] = GetParam();
    ModelRuntimeOptions options;
    options.model_directory = files.directory;
    options.backend = backend;
    options.threads = 1;  // how many cannot show: tests/equivalence
    options.scheduler.max_model_len = files.name == "engram_demo" ? 384 : 256;
    options.scheduler.max_num_seqs = 2;
    options.scheduler.max_num_batched_tokens = 320;
    auto runtime =
        ModelRuntime::Load(options, TokenMapOf(files.directory), [](std::string_view) {});
    CHECK_MSG(runtime.ok(), Message(runtime.status()));
    runtime_ = *std::move(runtime);
    executor_ = runtime_->TakeExecutor();
    golden_ = std::make_unique<TensorFile>(TensorFile::Load(files.golden));
    chunk_ = chunk;
  }

  std::unique_ptr<SequenceDriver> NewSequence(bool engram_enabled) {
    return std::make_unique<SequenceDriver>(runtime_->scheduler_options(), executor_.get(),
                                            engram_enabled);
  }

  // The golden has the last rows of a prompt, `actual` all of them.
  void ExpectLastRowsNear(const std::string& name, const std::vector<float>& actual,
                          double tolerance) {
    const std::vector<float> expected = golden_->F32(name);
    ASSERT_GE(actual.size(), expected.size()) << name;
    const std::size_t offset = actual.size() - expected.size();
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      worst = std::max<double>(worst, std::abs(actual[offset + i] - expected[i]));
    }
    EXPECT_LE(worst, tolerance) << name;
    RecordProperty(name, std::to_string(worst));
  }

  void ExpectPromptAsGolden(const std::string& prompt, const Recording& recording,
                            const StepOutput& output) {
    const ModelConfig& config = runtime_->config();
    for (int layer = 0; layer < config.num_layers; ++layer) {
      const std::string hidden = "hidden." + std::to_string(layer);
      ExpectLastRowsNear(prompt + hidden, recording.at(hidden), kHidden);
    }
    for (std::size_t i = 0; i < config.engram.layer_ids.size(); ++i) {
      const std::string layer = std::to_string(config.engram.layer_ids[i]);
      ExpectLastRowsNear(prompt + "engram." + layer + ".gates", GatesOfLayer(output, i), kGates);
      const std::string engram_output = prompt + "engram." + layer + ".output";
      if (!golden_->Has(engram_output)) continue;
      std::vector<float> added = recording.at("after_engram." + layer);
      const std::vector<float>& before = recording.at("before_engram." + layer);
      for (std::size_t j = 0; j < added.size(); ++j) added[j] -= before[j];
      ExpectLastRowsNear(engram_output, added, kEngramOutput);
    }
    if (golden_->Has(prompt + "final_norm")) {
      ExpectLastRowsNear(prompt + "final_norm", recording.at("final_norm.0"), kFinalNorm);
    }
    ExpectLastRowsNear(prompt + "logits", recording.at("logits.0"), kLogits);
  }

  // [rows, streams] of the i-th Engram layer.
  std::vector<float> GatesOfLayer(const StepOutput& output, std::size_t index) const {
    const std::size_t streams = runtime_->config().hc_mult;
    const std::size_t width = runtime_->config().engram.layer_ids.size() * streams;
    std::vector<float> out;
    for (const std::vector<float>& step : output.gates) {
      for (std::size_t row = 0; row < step.size() / width; ++row) {
        const auto first = step.begin() + row * width + index * streams;
        out.insert(out.end(), first, first + streams);
      }
    }
    return out;
  }

  // The ids that are the best 5 beyond doubt: neighbours in rank differ by more than the tolerance.
  void ExpectTopFive(const std::string& prompt, const std::vector<TokenLogprob>& last_row) {
    if (!golden_->Has(prompt + "top5_ids")) return;
    const std::vector<std::int32_t> ids = golden_->I32(prompt + "top5_ids");
    const std::vector<float> logits = golden_->F32(prompt + "top5_logits");
    const std::size_t row = ids.size() - 5;  // the prompt's last
    for (std::size_t i = 0; i < 4; ++i) {
      if (logits[row + i] - logits[row + i + 1] <= 2 * kLogits) break;
      EXPECT_EQ(last_row[i].token, ids[row + i]) << prompt << " rank " << i + 1;
    }
  }

  std::vector<std::int32_t> ContinueGreedily(SequenceDriver* sequence, std::int32_t first,
                                             std::size_t count) {
    std::vector<std::int32_t> tokens = {first};
    while (tokens.size() < count) {
      tokens.push_back(sequence->Run({tokens.back()}).sampled[0].token);
    }
    return tokens;
  }

  std::unique_ptr<ModelRuntime> runtime_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<TensorFile> golden_;
  int chunk_;
};

TEST_P(GoldenTest, AgreesOnEveryPrompt) {
  int prompts = 0;
  for (; golden_->Has("p" + std::to_string(prompts) + ".input_ids"); ++prompts) {
    const std::string prompt = "p" + std::to_string(prompts) + ".";
    SCOPED_TRACE(prompt);
    const std::unique_ptr<SequenceDriver> sequence = NewSequence(/*engram_enabled=*/true);
    const StepOutput output = sequence->RunInChunks(golden_->I32(prompt + "input_ids"), chunk_);
    ExpectPromptAsGolden(prompt, sequence->recording(), output);
    const TokenResult& last = output.sampled.back();
    ExpectTopFive(prompt, last.top_logprobs);
    const std::vector<std::int32_t> greedy = golden_->I32(prompt + "greedy_ids");
    EXPECT_EQ(ContinueGreedily(sequence.get(), last.token, greedy.size()), greedy);
  }
  EXPECT_GE(prompts, 5);
}

class MemoryOffTest : public GoldenTest {};

TEST_P(MemoryOffTest, AgreesOnEveryPrompt) {
  int prompts = 0;
  for (; golden_->Has("p" + std::to_string(prompts) + ".memory_off.logits"); ++prompts) {
    const std::string prompt = "p" + std::to_string(prompts) + ".";
    SCOPED_TRACE(prompt);
    const std::unique_ptr<SequenceDriver> sequence = NewSequence(/*engram_enabled=*/false);
    const StepOutput output = sequence->RunInChunks(golden_->I32(prompt + "input_ids"), chunk_);
    ExpectLastRowsNear(prompt + "memory_off.logits", sequence->recording().at("logits.0"), kLogits);
    EXPECT_THAT(output.gates.front(), ::testing::Each(0.0f));
    const std::vector<std::int32_t> greedy = golden_->I32(prompt + "memory_off.greedy_ids");
    EXPECT_EQ(ContinueGreedily(sequence.get(), output.sampled.back().token, greedy.size()), greedy);
  }
}

// The ids that the tokenizer's map and the hash give, from the files that the server reads.
TEST(GoldenRowsTest, CompressedIdsAndRowsAreExact) {
  for (const ModelFiles& files :
       {Tiny("engram_paper"), Tiny("engram_demo_profile"), Tiny("engram_plain"), Demo()}) {
    SCOPED_TRACE(files.name);
    const absl::StatusOr<ModelConfig> config = ModelConfig::Load(files.directory);
    ASSERT_TRUE(config.ok()) << config.status();
    const absl::StatusOr<NgramHasher> hasher =
        NgramHasher::Create(config->engram, TokenMapOf(files.directory));
    ASSERT_TRUE(hasher.ok()) << hasher.status();
    const TensorFile golden = TensorFile::Load(files.golden);
    for (int p = 0; golden.Has("p" + std::to_string(p) + ".input_ids"); ++p) {
      const std::string prompt = "p" + std::to_string(p) + ".";
      const std::vector<std::int32_t> ids = golden.I32(prompt + "input_ids");
      std::vector<std::int32_t> window(hasher->lookback() + ids.size());
      hasher->FillWindow({}, ids, window);
      EXPECT_EQ(std::vector(window.begin() + hasher->lookback(), window.end()),
                golden.I32(prompt + "compressed_ids"));
      for (int layer = 0; layer < hasher->layer_count(); ++layer) {
        std::vector<std::int64_t> rows(ids.size() * hasher->lookups());
        hasher->HashRows(layer, window, rows.data());
        const std::string name = std::to_string(config->engram.layer_ids[layer]);
        EXPECT_EQ(rows, golden.I64(prompt + "engram." + name + ".rows"));
      }
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<GoldenTest::ParamType>& info) {
  const auto& [files, backend, chunk] = info.param;
  const std::string chunks = chunk == kWhole ? "whole" : "by_" + std::to_string(chunk);
  return files.name + "_" + backend + "_" + chunks;
}

INSTANTIATE_TEST_SUITE_P(
    Tiny, GoldenTest,
    ::testing::Combine(::testing::Values(Tiny("deepseek_v3"), Tiny("deepseek_v3_noqlora"),
                                         Tiny("engram_paper"), Tiny("engram_demo_profile"),
                                         Tiny("engram_plain")),
                       ::testing::Values("ref", "cpu"), ::testing::Values(kWhole, 7, 1)),
    NameOf);

const auto kDemoCases = ::testing::Combine(
    ::testing::Values(Demo()), ::testing::Values("ref", "cpu"), ::testing::Values(kWhole, 7, 1));
INSTANTIATE_TEST_SUITE_P(Demo, GoldenTest, kDemoCases, NameOf);
INSTANTIATE_TEST_SUITE_P(Demo, MemoryOffTest, kDemoCases, NameOf);

}  // namespace
}  // namespace engram
