// SPDX-License-Identifier: Apache-2.0
// Frequencies against transformers' (tests/testdata/modules/mla.safetensors), the rest against
// numbers from the formulas.
#include "engine/model/rope_table.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/tensors.h"
#include "tests/testing/test_files.h"

namespace engram {
namespace {

using testing_support::ReadFile;
using testing_support::TensorFile;

ModelConfig DeepseekV3() {
  ModelConfig config;
  config.qk_nope_head_dim = 128;
  config.qk_rope_head_dim = 64;
  config.rope_theta = 10000;
  RopeScaling scaling;
  scaling.factor = 40;
  scaling.original_max_position_embeddings = 4096;
  scaling.mscale = 1;
  scaling.mscale_all_dim = 1;
  config.rope_scaling = scaling;
  return config;
}

// What matters here of a case's config.
ModelConfig ConfigFrom(const nlohmann::json& json) {
  ModelConfig config;
  config.qk_nope_head_dim = json.at("qk_nope_head_dim");
  config.qk_rope_head_dim = json.at("qk_rope_head_dim");
  config.rope_theta = json.at("rope_theta");
  if (json.at("rope_scaling").is_null()) return config;
  const nlohmann::json& yarn = json.at("rope_scaling");
  config.rope_scaling = RopeScaling{};
  config.rope_scaling->factor = yarn.at("factor");
  config.rope_scaling->original_max_position_embeddings =
      yarn.at("original_max_position_embeddings");
  config.rope_scaling->mscale = yarn.at("mscale");
  config.rope_scaling->mscale_all_dim = yarn.at("mscale_all_dim");
  return config;
}

TEST(RopeTableTest, DeepseekV3InterpolatesPairs10To23) {
  ModelConfig config = DeepseekV3();
  const std::vector<double> scaled = RopeFrequencies(config);
  config.rope_scaling.reset();
  const std::vector<double> plain = RopeFrequencies(config);
  ASSERT_EQ(plain.size(), 32u);
  for (int i = 0; i < 32; ++i) {
    EXPECT_DOUBLE_EQ(plain[i], std::pow(10000.0, -i / 32.0));
    const double ramp = std::clamp((i - 10) / 13.0, 0.0, 1.0);
    EXPECT_NEAR(scaled[i] / plain[i], 1 - (1 - 1.0 / 40) * ramp, 1e-12) << i;
  }
}

TEST(RopeTableTest, DeepseekV3AttentionScale) {
  ModelConfig config = DeepseekV3();
  EXPECT_NEAR(AttentionScale(config), 0.135234, 1e-6);
  EXPECT_DOUBLE_EQ(RopeAmplitude(config), 1);
  config.rope_scaling.reset();
  EXPECT_DOUBLE_EQ(AttentionScale(config), 1 / std::sqrt(192.0));
}

TEST(RopeTableTest, AmplitudeFollowsTheMscales) {
  const double m1 = 0.1 * std::log(40.0) + 1;
  const double m_half = 0.05 * std::log(40.0) + 1;
  ModelConfig config = DeepseekV3();
  config.rope_scaling->mscale = 0.5;
  EXPECT_DOUBLE_EQ(RopeAmplitude(config), m_half / m1);
  EXPECT_NEAR(AttentionScale(config), 0.135234, 1e-6);  // mscale_all_dim alone counts here
  config.rope_scaling->mscale_all_dim = 0;              // absent: as if there were no mscale either
  EXPECT_DOUBLE_EQ(RopeAmplitude(config), m1);
  EXPECT_DOUBLE_EQ(AttentionScale(config), 1 / std::sqrt(192.0));
  config.rope_scaling->attention_factor = 1.25;
  EXPECT_DOUBLE_EQ(RopeAmplitude(config), 1.25);
}

TEST(RopeTableTest, UntruncatedRampBeginsBetweenPairs) {
  ModelConfig config = DeepseekV3();
  const std::vector<double> truncated = RopeFrequencies(config);
  config.rope_scaling->truncate = false;
  const std::vector<double> exact = RopeFrequencies(config);
  // c(32) = 10.47…: with the whole number 10 pair 11 is interpolated more.
  const double low = 64 * std::log(4096 / (64 * M_PI)) / (2 * std::log(10000.0));
  EXPECT_NEAR(low, 10.47, 0.01);
  EXPECT_GT(exact[11], truncated[11]);
  EXPECT_EQ(exact[10], truncated[10]);
}

TEST(RopeTableTest, TableHasCosinesThenSines) {
  ModelConfig config = DeepseekV3();
  config.rope_scaling->attention_factor = 2;
  const std::vector<double> frequencies = RopeFrequencies(config);
  const std::vector<float> table = RopeCosSin(config, 100);
  ASSERT_EQ(table.size(), 6400u);
  for (const int position : {0, 1, 57, 99}) {
    for (int i = 0; i < 32; ++i) {
      EXPECT_FLOAT_EQ(table[position * 64 + i], 2 * std::cos(position * frequencies[i]));
      EXPECT_FLOAT_EQ(table[position * 64 + 32 + i], 2 * std::sin(position * frequencies[i]));
    }
  }
}

TEST(RopeTableTest, ConstantsAreThoseOfTransformers) {
  const TensorFile vectors = TensorFile::Load("tests/testdata/modules/mla.safetensors");
  const nlohmann::json modules =
      nlohmann::json::parse(ReadFile("tests/testdata/modules/modules.json"));
  for (const std::string name : {"c0", "c1", "c2"}) {
    SCOPED_TRACE(name);
    const nlohmann::json& json = modules.at("mla.safetensors").at("cases").at(name);
    const ModelConfig config = ConfigFrom(json.at("config"));
    EXPECT_NEAR(AttentionScale(config), json.at("score_scale").get<double>(), 1e-15);
    EXPECT_NEAR(RopeAmplitude(config), json.at("cos_sin_multiplier").get<double>(), 1e-12);
    const std::vector<float> expected = vectors.F32(name + ".inv_freq");
    const std::vector<double> actual = RopeFrequencies(config);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_FLOAT_EQ(actual[i], expected[i]);
  }
}

}  // namespace
}  // namespace engram
