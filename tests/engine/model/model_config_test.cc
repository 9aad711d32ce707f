// SPDX-License-Identifier: Apache-2.0
// config.json: what the repository's own checkpoints say, every alias, and every way to be wrong.
#include "engine/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/strings.h"
#include "nlohmann/json.hpp"
#include "tests/testing/test_files.h"

namespace engram {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kPaper[] = "tests/testdata/tiny/engram_paper";
constexpr char kPlainV3[] = "tests/testdata/tiny/deepseek_v3";

// The config of a tiny checkpoint, to change something in.
json Base(const std::string& directory = kPaper) {
  return json::parse(testing_support::ReadFile(directory + "/config.json"));
}

// `base` with the keys of the object `changes` put in; null takes one out (RFC 7386).
json With(json base, const std::string& changes) {
  base.merge_patch(json::parse(changes));
  return base;
}

ModelConfig Parsed(const json& config) {
  const auto parsed = ModelConfig::Parse(config.dump());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : ModelConfig();
}

std::string ErrorOf(const json& config) {
  const auto parsed = ModelConfig::Parse(config.dump());
  return parsed.ok() ? "parsed" : Message(parsed.status());
}

TEST(ModelConfigTest, ReadsThePapersModel) {
  const auto loaded = ModelConfig::Load(kPaper);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const ModelConfig& config = *loaded;
  EXPECT_EQ(config.model_type, "deepseek_v3_engram");
  EXPECT_EQ(config.vocab_size, 2056);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.num_layers, 4);
  EXPECT_EQ(config.max_position_embeddings, 256);
  EXPECT_EQ(config.rms_norm_eps, 1e-20f);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.dtype, DType::kF32);
  EXPECT_EQ(config.num_heads, 4);
  EXPECT_EQ(config.q_lora_rank, 0);
  EXPECT_EQ(config.kv_lora_rank, 32);
  EXPECT_EQ(config.qk_nope_head_dim, 16);
  EXPECT_EQ(config.qk_rope_head_dim, 8);
  EXPECT_EQ(config.v_head_dim, 16);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_TRUE(config.rope_interleave);
  EXPECT_FALSE(config.rope_scaling.has_value());
  EXPECT_EQ(config.intermediate_size, 160);
  EXPECT_EQ(config.moe_intermediate_size, 24);
  EXPECT_EQ(config.n_routed_experts, 12);
  EXPECT_EQ(config.n_shared_experts, 2);
  EXPECT_EQ(config.num_experts_per_tok, 3);
  EXPECT_EQ(config.scoring, MoeScoring::kSigmoid);
  EXPECT_TRUE(config.norm_topk_prob);
  EXPECT_FALSE(config.IsMoeLayer(0));
  EXPECT_TRUE(config.IsMoeLayer(1));
  EXPECT_EQ(config.hc_mult, 4);
  EXPECT_EQ(config.hc_sinkhorn_iters, 20);
  EXPECT_EQ(config.hc_eps, 1e-6f);
  EXPECT_EQ(config.hc_exit, HcExit::kLearned);
  EXPECT_THAT(config.engram.layer_ids, ElementsAre(1, 3));
  EXPECT_EQ(config.engram.max_ngram_size, 3);
  EXPECT_EQ(config.engram.heads, 4);
  EXPECT_EQ(config.engram.head_dim, 8);
  EXPECT_THAT(config.engram.vocab_sizes, ElementsAre(601, 601));
  EXPECT_THAT(config.engram.num_embeddings, ElementsAre(4972, 5344));
  EXPECT_EQ(config.engram.compressed_vocab_size, 1737);
  EXPECT_EQ(config.engram.pad_token_id, 2);
  EXPECT_EQ(config.engram.seed, 0u);
  EXPECT_EQ(config.engram_kernel_size, 4);
  EXPECT_EQ(config.engram_conv_dilation, 3);
  EXPECT_EQ(config.conv_window(), 9);
  EXPECT_EQ(config.engram_conv_eps, 1e-5f);
  EXPECT_EQ(config.engram_norm_eps, 1e-20f);
  EXPECT_TRUE(config.engram_gate_sqrt);
  EXPECT_FALSE(config.engram_bias);
  EXPECT_THAT(config.eos_token_ids, ElementsAre(1));
  EXPECT_EQ(config.bos_token_id, 0);
  EXPECT_EQ(config.pad_token_id, 2);
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(ModelConfigTest, ReadsPlainV3WithYarn) {
  const auto config = ModelConfig::Load(kPlainV3);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->q_lora_rank, 32);
  EXPECT_EQ(config->n_group, 4);
  EXPECT_EQ(config->topk_group, 2);
  EXPECT_EQ(config->routed_scaling_factor, 2.5f);
  EXPECT_FALSE(config->has_engram());
  EXPECT_EQ(config->hc_mult, 1);
  ASSERT_TRUE(config->rope_scaling.has_value());
  EXPECT_EQ(config->rope_scaling->factor, 4.0);
  EXPECT_EQ(config->rope_scaling->original_max_position_embeddings, 64);
  EXPECT_EQ(config->rope_scaling->beta_fast, 32.0);
  EXPECT_EQ(config->rope_scaling->beta_slow, 1.0);
  EXPECT_EQ(config->rope_scaling->mscale, 1.0);
  EXPECT_EQ(config->rope_scaling->mscale_all_dim, 1.0);
  EXPECT_FALSE(config->rope_scaling->attention_factor.has_value());
  EXPECT_TRUE(config->rope_scaling->truncate);
}

TEST(ModelConfigTest, ReadsEveryCheckpointOfTheRepository) {
  for (const char* directory :
       {"tests/testdata/tiny/deepseek_v3", "tests/testdata/tiny/deepseek_v3_noqlora",
        "tests/testdata/tiny/engram_demo_profile", "tests/testdata/tiny/engram_plain",
        "models/engram-demo"}) {
    EXPECT_TRUE(ModelConfig::Load(directory).ok()) << directory;
  }
  const auto demo = ModelConfig::Load("tests/testdata/tiny/engram_demo_profile");
  EXPECT_EQ(demo->hc_exit, HcExit::kSum);
  EXPECT_TRUE(demo->engram_bias);
  EXPECT_EQ(demo->dtype, DType::kBF16);
  EXPECT_THAT(demo->engram.vocab_sizes, ElementsAre(401, 653));
  const auto plain = ModelConfig::Load("tests/testdata/tiny/engram_plain");
  EXPECT_EQ(plain->engram_kernel_size, 0);
  EXPECT_EQ(plain->conv_window(), 0);
  EXPECT_FALSE(plain->engram_gate_sqrt);
  EXPECT_EQ(plain->engram.pad_token_id, 1043);
  EXPECT_TRUE(ModelConfig::Load("tests/testdata/tiny/deepseek_v3_noqlora")->tie_word_embeddings);
}

TEST(ModelConfigTest, ReadsTheBigModelsOfThePaper) {
  // Engram-27B as part D of the specification has it.
  const ModelConfig config =
      Parsed(With(Base(), R"({"vocab_size": 129280, "hidden_size": 2560, "num_hidden_layers": 30,
      "num_attention_heads": 32, "num_key_value_heads": 32,
      "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
      "v_head_dim": 128, "intermediate_size": 12288,
      "moe_intermediate_size": 1536, "n_routed_experts": 55,
      "num_experts_per_tok": 6, "engram_layer_ids": [1, 14],
      "engram_n_heads": 8, "engram_head_dim": 80, "engram_vocab_size": 2262400,
      "engram_num_embeddings": [36199972, 36204260],
      "engram_compressed_vocab_size": 98627})"));
  EXPECT_EQ(config.engram.lookups(), 16);
  EXPECT_EQ(config.engram.memory_dim(), 1280);
}

TEST(ModelConfigTest, AbsentNullAndZeroQLoraAreTheSame) {
  EXPECT_EQ(Parsed(With(Base(kPlainV3), R"({"q_lora_rank": null})")).q_lora_rank, 0);  // absent
  EXPECT_EQ(Parsed(With(Base(kPlainV3), R"({"q_lora_rank": 0})")).q_lora_rank, 0);
  ASSERT_TRUE(Base()["q_lora_rank"].is_null());
  EXPECT_EQ(Parsed(Base()).q_lora_rank, 0);
}

TEST(ModelConfigTest, ReadsFilesSavedByTransformers5) {
  const ModelConfig config = Parsed(With(Base(kPlainV3), R"({
      "rope_theta": null, "rope_scaling": null, "torch_dtype": null, "dtype": "float16",
      "rope_parameters": {"rope_type": "yarn", "rope_theta": 500000, "factor": 4,
                          "original_max_position_embeddings": 64}})"));
  EXPECT_EQ(config.dtype, DType::kF16);
  EXPECT_EQ(config.rope_theta, 500000.0);
  ASSERT_TRUE(config.rope_scaling.has_value());
  EXPECT_EQ(config.rope_scaling->factor, 4.0);

  const ModelConfig unscaled = Parsed(
      With(Base(), R"({"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}})"));
  EXPECT_FALSE(unscaled.rope_scaling.has_value());
}

TEST(ModelConfigTest, ReadsYarnsRareFields) {
  const ModelConfig config = Parsed(With(Base(kPlainV3), R"({"rope_scaling": {
      "attention_factor": 1.25, "truncate": false, "beta_fast": null, "mscale": null}})"));
  EXPECT_EQ(config.rope_scaling->attention_factor, 1.25);
  EXPECT_FALSE(config.rope_scaling->truncate);
  EXPECT_EQ(config.rope_scaling->beta_fast, 32.0);
  EXPECT_EQ(config.rope_scaling->mscale, 0.0);
}

TEST(ModelConfigTest, WarnsOfPositionsBeyondYarnsReach) {
  EXPECT_THAT(Parsed(With(Base(kPlainV3), R"({"max_position_embeddings": 300})")).warnings,
              ElementsAre(HasSubstr("beyond factor * original_max_position_embeddings = 256")));
}

TEST(ModelConfigTest, EosMayBeAListOrAbsent) {
  EXPECT_THAT(Parsed(With(Base(), R"({"eos_token_id": [1, 5]})")).eos_token_ids, ElementsAre(1, 5));
  EXPECT_THAT(Parsed(With(Base(), R"({"eos_token_id": null})")).eos_token_ids, IsEmpty());
  EXPECT_FALSE(Parsed(With(Base(), R"({"bos_token_id": null})")).bos_token_id.has_value());
}

TEST(ModelConfigTest, DenseModelsNeedNoExpertKeys) {
  const ModelConfig config =
      Parsed(With(Base(kPlainV3), R"({"n_routed_experts": null, "moe_intermediate_size": null,
      "num_experts_per_tok": null, "n_group": null, "topk_group": null,
      "first_k_dense_replace": null, "routed_scaling_factor": null})"));
  for (int layer = 0; layer < config.num_layers; ++layer) EXPECT_FALSE(config.IsMoeLayer(layer));
}

TEST(ModelConfigTest, ReadsSoftmaxRouting) {
  const ModelConfig groups = Parsed(
      With(Base(kPlainV3), R"({"scoring_func": "softmax", "topk_method": "group_limited_greedy",
      "norm_topk_prob": false})"));
  EXPECT_EQ(groups.scoring, MoeScoring::kSoftmax);
  EXPECT_EQ(groups.n_group, 4);
  // V2's "greedy" looks at no groups, whatever the keys say.
  const ModelConfig greedy = Parsed(With(Base(kPlainV3),
                                         R"({"scoring_func": "softmax", "topk_method": "greedy",
      "norm_topk_prob": false})"));
  EXPECT_EQ(greedy.n_group, 1);
  EXPECT_EQ(greedy.topk_group, 1);
}

TEST(ModelConfigTest, HyperConnectionFieldsAreIgnoredAtOneStream) {
  EXPECT_EQ(Parsed(With(Base(), R"({"hc_mult": 1, "hc_head_mode": "odd", "hc_eps": -1})")).hc_mult,
            1);
}

TEST(ModelConfigTest, ConvolutionFieldsAreIgnoredAtKernelZero) {
  const ModelConfig config =
      Parsed(With(Base(), R"({"engram_kernel_size": 0, "engram_conv_dilation": -3,
      "engram_conv_eps": 9})"));
  EXPECT_EQ(config.conv_window(), 0);
}

TEST(ModelConfigTest, TheConvolutionReachesOneOrderPerTapUnlessSaidOtherwise) {
  EXPECT_EQ(Parsed(With(Base(), R"({"engram_conv_dilation": null})")).engram_conv_dilation, 3);
}

TEST(ModelConfigTest, WithoutHeadModeTheTensorsDecide) {
  EXPECT_FALSE(Parsed(With(Base(), R"({"hc_head_mode": null})")).hc_exit.has_value());
}

TEST(ModelConfigTest, NoEngramLayersIsAPlainModel) {
  EXPECT_FALSE(Parsed(With(Base(), R"({"engram_layer_ids": []})")).has_engram());
}

struct Alias {
  const char* name;
  const char* replaces;
  const char* value;
};

class AliasTest : public testing::TestWithParam<Alias> {};

// The same model comes out when a key is spelled in another way.
TEST_P(AliasTest, MeansTheSame) {
  json changed = Base();
  changed.erase(GetParam().replaces);
  changed[GetParam().name] = json::parse(GetParam().value);
  const ModelConfig config = Parsed(changed);
  EXPECT_EQ(config.hc_mult, 4);
  EXPECT_EQ(config.hc_sinkhorn_iters, 20);
  EXPECT_THAT(config.engram.layer_ids, ElementsAre(1, 3));
  EXPECT_EQ(config.engram.max_ngram_size, 3);
  EXPECT_EQ(config.engram.heads, 4);
  EXPECT_EQ(config.engram.head_dim, 8);
  EXPECT_THAT(config.engram.vocab_sizes, ElementsAre(601, 601));
  EXPECT_EQ(config.engram.pad_token_id, 2);
  EXPECT_EQ(config.engram_kernel_size, 4);
}

INSTANTIATE_TEST_SUITE_P(
    Spellings, AliasTest,
    testing::Values(Alias{"engram_pad_id", "engram_pad_token_id", R"(2)"},
                    Alias{"engram_layers", "engram_layer_ids", R"([1, 3])"},
                    Alias{"engram_num_heads", "engram_n_heads", R"(4)"},
                    Alias{"engram_vocab_bases", "engram_vocab_size", R"([601, 601])"},
                    Alias{"mhc_expansion_rate", "hc_mult", R"(4)"},
                    Alias{"sinkhorn_iterations", "hc_sinkhorn_iters", R"(20)"},
                    Alias{"mhc_num_residual_streams", "hc_mult", R"(4)"},
                    Alias{"mhc_sinkhorn_iterations", "hc_sinkhorn_iters", R"(20)"},
                    Alias{"n_embed_per_ngram", "engram_head_dim", R"(32)"},
                    Alias{"n_head_per_ngram", "engram_n_heads", R"(4)"},
                    Alias{"max_ngram_size", "engram_max_ngram_size", R"(3)"},
                    Alias{"layer_ids", "engram_layer_ids", R"([1, 3])"},
                    Alias{"kernel_size", "engram_kernel_size", R"(4)"}),
    [](const auto& info) { return std::string(info.param.name) + "_for_" + info.param.replaces; });

TEST(ModelConfigTest, MegatronCountsLayersFromOne) {
  const json megatron = With(Base(), R"({"engram_max_ngram_size": null, "engram_max_ngram_order": 3,
      "engram_n_heads": null, "engram_num_hash_heads": 4, "engram_seed": null,
      "engram_hash_seed": 7, "engram_layer_ids": [2, 4]})");
  const ModelConfig config = Parsed(megatron);
  EXPECT_THAT(config.engram.layer_ids, ElementsAre(1, 3));
  EXPECT_EQ(config.engram.max_ngram_size, 3);
  EXPECT_EQ(config.engram.heads, 4);
  EXPECT_EQ(config.engram.seed, 7u);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("Megatron")));
  EXPECT_THAT(ErrorOf(With(megatron, R"({"engram_layer_ids": [0, 4]})")),
              HasSubstr("engram_layer_ids[0] is 0; expected an integer from 1 to 4"));
}

TEST(ModelConfigTest, MaxTextsSpellingIsReadWithAWarning) {
  const ModelConfig config =
      Parsed(With(Base(), R"({"engram_layer_ids": null, "engram_layers": [1, 3]})"));
  EXPECT_THAT(config.engram.layer_ids, ElementsAre(1, 3));
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("MaxText")));
}

TEST(ModelConfigTest, TwoSpellingsMustAgree) {
  EXPECT_EQ(ErrorOf(With(Base(), R"({"engram_pad_id": 2})")), "parsed");
  EXPECT_THAT(ErrorOf(With(Base(), R"({"engram_pad_id": 3})")),
              HasSubstr("engram_pad_id is 3 but engram_pad_token_id is 2"));
  EXPECT_THAT(ErrorOf(With(Base(), R"({"n_embed_per_ngram": 64})")),
              HasSubstr("so a row has 16, but engram_head_dim is 8"));
}

TEST(ModelConfigTest, LoadNamesThePath) {
  EXPECT_THAT(Message(ModelConfig::Load("models").status()), HasSubstr("models/config.json"));
  EXPECT_TRUE(absl::IsNotFound(ModelConfig::Load("models").status()));
}

}  // namespace
}  // namespace engram
