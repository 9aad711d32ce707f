// SPDX-License-Identifier: Apache-2.0
// Checkpoint::Open: every checkpoint of the repository, and every way a directory can be wrong.
#include "engine/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/strings.h"
#include "tests/testing/safetensors_writer.h"
#include "tests/testing/tensors.h"
#include "tests/testing/test_files.h"

namespace engram {
namespace {

using testing::HasSubstr;
using testing_support::SafetensorsFile;
using testing_support::TensorFile;
using testing_support::WriteFile;

const std::vector<DType> kFloats = {DType::kF32, DType::kBF16, DType::kF16};

bool IgnoreNothing(std::string_view) { return false; }

// A directory of its own for a test, empty at first.
class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = testing::TempDir() + "/" + test->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }

  void Write(const std::string& file, const std::string& contents) {
    WriteFile(directory_ + "/" + file, contents);
  }
  void WriteIndex(const std::string& weight_map) {
    Write("model.safetensors.index.json", R"({"metadata": {}, "weight_map": )" + weight_map + "}");
  }

  std::unique_ptr<Checkpoint> Open() {
    auto checkpoint = Checkpoint::Open(directory_);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    return checkpoint.ok() ? *std::move(checkpoint) : nullptr;
  }
  std::string OpenError() {
    const auto checkpoint = Checkpoint::Open(directory_);
    return checkpoint.ok() ? "opened" : Message(checkpoint.status());
  }

  std::string directory_;
};

// Every tensor of every file comes out by name as it lies in the file, and then nothing is left.
TEST(RepositoryCheckpointsTest, RoundTrip) {
  const std::vector<std::string> directories = {
      "tests/testdata/tiny/deepseek_v3",         "tests/testdata/tiny/deepseek_v3_noqlora",
      "tests/testdata/tiny/engram_demo_profile", "tests/testdata/tiny/engram_paper",
      "tests/testdata/tiny/engram_plain",        "models/engram-demo"};
  for (const std::string& directory : directories) {
    auto checkpoint = Checkpoint::Open(directory);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_FALSE((*checkpoint)->CheckNothingLeft(IgnoreNothing).ok());
    std::int64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      const std::string file = entry.path().filename().string();
      if (!file.starts_with("model") || !file.ends_with(".safetensors")) continue;
      const TensorFile tensors = TensorFile::Load(directory + "/" + file);
      for (const std::string& name : tensors.Names()) {
        const SafetensorsTensor& raw = tensors.Raw(name);
        const auto tensor =
            (*checkpoint)->Get({.name = name, .shape = raw.shape, .dtypes = {raw.dtype}});
        ASSERT_TRUE(tensor.ok()) << tensor.status();
        EXPECT_EQ((*tensor)->file, file);
        EXPECT_TRUE(std::equal(raw.bytes.begin(), raw.bytes.end(), (*tensor)->bytes.begin(),
                               (*tensor)->bytes.end()))
            << name;
        const TensorPlace& place = (*tensor)->place.value();
        EXPECT_EQ(place.path, directory + "/" + file);
        const std::string whole = testing_support::ReadFile(place.path);
        EXPECT_EQ(place.identity.bytes, static_cast<std::int64_t>(whole.size()));
        EXPECT_EQ(std::memcmp(whole.data() + place.offset, raw.bytes.data(), raw.bytes.size()), 0)
            << name;
        bytes += static_cast<std::int64_t>(raw.bytes.size());
      }
    }
    EXPECT_EQ((*checkpoint)->total_bytes(), bytes);
    EXPECT_TRUE((*checkpoint)->CheckNothingLeft(IgnoreNothing).ok()) << directory;
  }
}

TEST_F(CheckpointTest, OtherSafetensorsFilesAreNotLookedAt) {
  Write("model.safetensors", SafetensorsFile({{"a", DType::kF32, {2}}}));
  Write("golden.safetensors", "no tensors at all");
  auto checkpoint = Open();
  EXPECT_TRUE(checkpoint->Get({.name = "a", .shape = {2}, .dtypes = kFloats}).ok());
  EXPECT_TRUE(checkpoint->CheckNothingLeft(IgnoreNothing).ok());
}

TEST_F(CheckpointTest, AMissingTensorIsNamedWithWhatWasExpected) {
  Write("model.safetensors", SafetensorsFile({{"a", DType::kF32, {2}}}));
  auto checkpoint = Open();
  const auto missing = checkpoint->Get({.name = "b", .shape = {2, 3}, .dtypes = kFloats});
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_EQ(Message(missing.status()),
            directory_ + ": tensor 'b' is missing; expected [2, 3] of f32, bf16 or f16");
}

TEST_F(CheckpointTest, AMissingOptionalTensorIsNull) {
  Write("model.safetensors", SafetensorsFile({{"a", DType::kF32, {2}}}));
  const auto tensor = Open()->Get({.name = "b", .shape = {2}, .dtypes = kFloats, .optional = true});
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(*tensor, nullptr);
}

TEST_F(CheckpointTest, AWrongShapeOrDTypeIsNamed) {
  Write("model.safetensors", SafetensorsFile({{"a", DType::kF32, {2, 3}}, {"q", DType::kI8, {4}}}));
  auto checkpoint = Open();
  // Also where only the order differs, or the number of dimensions.
  EXPECT_EQ(Message(checkpoint->Get({.name = "a", .shape = {3, 2}, .dtypes = kFloats}).status()),
            "model.safetensors: tensor 'a' has shape [2, 3], expected [3, 2] from config.json");
  EXPECT_FALSE(checkpoint->Get({.name = "a", .shape = {6}, .dtypes = kFloats}).ok());
  EXPECT_EQ(Message(checkpoint->Get({.name = "q", .shape = {4}, .dtypes = kFloats}).status()),
            "model.safetensors: tensor 'q' is i8, expected f32, bf16 or f16");
  // An optional tensor that is there has to be right.
  EXPECT_FALSE(
      checkpoint->Get({.name = "q", .shape = {4}, .dtypes = kFloats, .optional = true}).ok());
}

TEST_F(CheckpointTest, WhatNobodyAskedForIsListed) {
  std::vector<testing_support::TensorToWrite> tensors;
  for (char c = 'a'; c <= 'l'; ++c) tensors.push_back({std::string(1, c), DType::kF32, {1}});
  Write("model.safetensors", SafetensorsFile(tensors));
  auto checkpoint = Open();
  ASSERT_TRUE(checkpoint->Get({.name = "b", .shape = {1}, .dtypes = kFloats}).ok());
  const auto ignore = [](std::string_view name) { return name == "c"; };
  EXPECT_EQ(Message(checkpoint->CheckNothingLeft(ignore)),
            directory_ +
                ": 10 tensors have no place in the model that config.json describes: "
                "a (model.safetensors), d (model.safetensors), e (model.safetensors), "
                "f (model.safetensors), g (model.safetensors), h (model.safetensors), "
                "i (model.safetensors), j (model.safetensors), …");
}

TEST_F(CheckpointTest, OtherSpellingsAreFoundByTheFormatsNames) {
  Write("model.safetensors", SafetensorsFile({{"model.layers.0.attn_hc.scale", DType::kF32, {3}}}));
  auto checkpoint = Open();
  EXPECT_TRUE(
      checkpoint->Get({.name = "model.layers.0.hc_attn_scale", .shape = {3}, .dtypes = kFloats})
          .ok());
  // Messages use the file's spelling, so that a search in the file finds it.
  EXPECT_THAT(
      Message(
          checkpoint->Get({.name = "model.layers.0.hc_attn_scale", .shape = {4}, .dtypes = kFloats})
              .status()),
      HasSubstr("tensor 'model.layers.0.attn_hc.scale' has shape [3]"));
}

TEST_F(CheckpointTest, TwoSpellingsOfOneTensorAreRefused) {
  Write("model.safetensors",
        SafetensorsFile({{"m.attn_hc.fn", DType::kF32, {1}}, {"m.hc_attn_fn", DType::kF32, {1}}}));
  EXPECT_THAT(OpenError(), HasSubstr("tensor 'm.hc_attn_fn' is another spelling of 'm.attn_hc.fn' "
                                     "in model.safetensors; keep one of them"));
}

TEST_F(CheckpointTest, TheDemosTensorPerStreamIsRefusedWithAdvice) {
  Write("model.safetensors",
        SafetensorsFile({{"model.layers.1.engram.norm1.0.weight", DType::kF32, {1}}}));
  EXPECT_THAT(OpenError(), HasSubstr("model.safetensors: tensor "
                                     "'model.layers.1.engram.norm1.0.weight' has to be converted "
                                     "first: stack norm1.0"));
}

TEST_F(CheckpointTest, ADirectoryWithoutWeightsIsRefused) {
  EXPECT_THAT(OpenError(), HasSubstr("has neither model.safetensors nor model.safetensors.index"));
}

TEST_F(CheckpointTest, BothKindsOfWeightsAreRefused) {
  Write("model.safetensors", SafetensorsFile({{"a", DType::kF32, {1}}}));
  WriteIndex(R"({"a": "model.safetensors"})");
  EXPECT_THAT(OpenError(), HasSubstr("has both"));
}

TEST_F(CheckpointTest, ATruncatedFileIsNamed) {
  const std::string file = SafetensorsFile({{"a", DType::kF32, {100}}});
  Write("model.safetensors", file.substr(0, file.size() - 1));
  EXPECT_THAT(OpenError(),
              HasSubstr(directory_ + "/model.safetensors: tensor 'a' ends at byte 400"));
  Write("model.safetensors", "");
  EXPECT_THAT(OpenError(), HasSubstr("/model.safetensors: the file is empty"));
}

TEST_F(CheckpointTest, ReadsShards) {
  Write("m-1.safetensors", SafetensorsFile({{"a", DType::kF32, {1}}}));
  Write("m-2.safetensors", SafetensorsFile({{"b", DType::kBF16, {2}}, {"c", DType::kU8, {1}}}));
  WriteIndex(R"({"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-2.safetensors"})");
  auto checkpoint = Open();
  const auto b = checkpoint->Get({.name = "b", .shape = {2}, .dtypes = kFloats});
  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_EQ((*b)->file, "m-2.safetensors");
  EXPECT_EQ(checkpoint->total_bytes(), 9);
}

TEST_F(CheckpointTest, AShardThatIsNotThereIsNamed) {
  WriteIndex(R"({"a": "m-1.safetensors"})");
  EXPECT_THAT(OpenError(), HasSubstr("/m-1.safetensors: there is no such file, but "
                                     "model.safetensors.index.json names it"));
}

TEST_F(CheckpointTest, AShardMustHoldWhatTheIndexSays) {
  Write("m-1.safetensors", SafetensorsFile({{"a", DType::kF32, {1}}}));
  WriteIndex(R"({"a": "m-1.safetensors", "b": "m-1.safetensors"})");
  EXPECT_THAT(OpenError(), HasSubstr("/m-1.safetensors: tensor 'b' is not here, but "
                                     "model.safetensors.index.json says so"));
}

TEST_F(CheckpointTest, TheIndexMustNameWhatAShardHolds) {
  Write("m-1.safetensors", SafetensorsFile({{"a", DType::kF32, {1}}, {"extra", DType::kF32, {1}}}));
  WriteIndex(R"({"a": "m-1.safetensors"})");
  EXPECT_THAT(OpenError(), HasSubstr("/m-1.safetensors: tensor 'extra' is here, but "
                                     "model.safetensors.index.json does not name it"));
}

TEST_F(CheckpointTest, ATensorInTheWrongShardIsNamed) {
  Write("m-1.safetensors", SafetensorsFile({{"a", DType::kF32, {1}}, {"b", DType::kF32, {1}}}));
  Write("m-2.safetensors", SafetensorsFile({{"c", DType::kF32, {1}}}));
  WriteIndex(R"({"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-2.safetensors"})");
  EXPECT_THAT(OpenError(), HasSubstr("tensor 'b' is here, but model.safetensors.index.json says it "
                                     "is in m-2.safetensors"));
}

TEST_F(CheckpointTest, AShardOutsideTheDirectoryIsRefused) {
  WriteIndex(R"({"a": "../m-1.safetensors"})");
  EXPECT_THAT(OpenError(), HasSubstr("model.safetensors.index.json: tensor 'a' is said to be in"));
}

}  // namespace
}  // namespace engram
