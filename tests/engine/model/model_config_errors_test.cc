// SPDX-License-Identifier: Apache-2.0
// Every way in which a config.json can be wrong: each is refused with a message that names the key,
// what was found and what is allowed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/strings.h"
#include "engine/model/model_config.h"
#include "nlohmann/json.hpp"
#include "tests/testing/test_files.h"

namespace engram {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr char kPaper[] = "tests/testdata/tiny/engram_paper";
constexpr char kPlainV3[] = "tests/testdata/tiny/deepseek_v3";

// The config of a tiny checkpoint, to change something in.
json Base(const std::string& directory) {
  return json::parse(testing_support::ReadFile(directory + "/config.json"));
}

// `base` with the keys of the object `changes` put in; null takes one out (RFC 7386).
json With(json base, const std::string& changes) {
  base.merge_patch(json::parse(changes));
  return base;
}

std::string ErrorOf(const json& config) {
  const auto parsed = ModelConfig::Parse(config.dump());
  return parsed.ok() ? "parsed" : Message(parsed.status());
}

struct BadConfig {
  const char* name;
  const char* changes;
  const char* error;  // a part of it
  const char* base = kPaper;
};

class BadConfigTest : public testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigTest, IsRefused) {
  EXPECT_THAT(ErrorOf(With(Base(GetParam().base), GetParam().changes)),
              HasSubstr(GetParam().error));
}

std::string NameOf(const testing::TestParamInfo<BadConfig>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Backbone, BadConfigTest,
    testing::Values(
        BadConfig{"NoModelType", R"({"model_type": null})", "config.json: model_type is missing"},
        BadConfig{"OtherModelType", R"({"model_type": "llama"})",
                  "model_type is \"llama\"; this version"},
        BadConfig{"ModelTypeIsANumber", R"({"model_type": 3})",
                  "model_type is 3; expected a string"},
        BadConfig{"NoHiddenSize", R"({"hidden_size": null})", "hidden_size is missing"},
        BadConfig{"NegativeHiddenSize", R"({"hidden_size": -3})",
                  "hidden_size is -3; expected an integer from 1 to 65536"},
        BadConfig{"HugeVocab", R"({"vocab_size": 1099511627776})",
                  "vocab_size is 1099511627776; expected"},
        BadConfig{"UnsignedVocab", R"({"vocab_size": 18446744073709551615})",
                  "vocab_size is 18446744073709551615; expected"},
        BadConfig{"FractionalLayers", R"({"num_hidden_layers": 4.5})",
                  "num_hidden_layers is 4.5; expected an integer"},
        BadConfig{"LayersAsText", R"({"num_hidden_layers": "4"})",
                  "num_hidden_layers is \"4\"; expected an integer"},
        BadConfig{"NoPositions", R"({"max_position_embeddings": 0})",
                  "max_position_embeddings is 0"},
        BadConfig{"NegativeEps", R"({"rms_norm_eps": -1e-6})", "rms_norm_eps is -1e-06; expected"},
        BadConfig{"EpsAsText", R"({"rms_norm_eps": "x"})",
                  "rms_norm_eps is \"x\"; expected a number"},
        BadConfig{"TiedAsNumber", R"({"tie_word_embeddings": 1})", "is 1; expected true or false"},
        BadConfig{"Quantized", R"({"quantization_config": {"quant_method": "fp8"}})",
                  "fp8 included) are not supported yet"},
        BadConfig{"Activation", R"({"hidden_act": "gelu"})",
                  "hidden_act is \"gelu\"; only \"silu\""},
        BadConfig{"AttentionBias", R"({"attention_bias": true})", "attention_bias is true"},
        BadConfig{"DType", R"({"torch_dtype": "float8_e4m3fn"})",
                  "\"float8_e4m3fn\"; expected bfloat16"},
        BadConfig{"TwoDTypes", R"({"dtype": "float16"})",
                  "torch_dtype is \"float32\" but dtype is"},
        BadConfig{"EosOutOfVocab", R"({"eos_token_id": [1, 2056]})",
                  "eos_token_id[1] is 2056; expected an integer from 0 to 2055"},
        BadConfig{"NegativeBos", R"({"bos_token_id": -1})", "bos_token_id is -1"},
        BadConfig{"OtherKvHeads", R"({"num_key_value_heads": 2})",
                  "num_key_value_heads is 2; latent"},
        BadConfig{"OddRope", R"({"qk_rope_head_dim": 7})",
                  "qk_rope_head_dim is 7; it must be even"},
        BadConfig{"NoKvRank", R"({"kv_lora_rank": 0})", "kv_lora_rank is 0"},
        BadConfig{"NegativeQRank", R"({"q_lora_rank": -1})", "q_lora_rank is -1"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Rope, BadConfigTest,
    testing::Values(
        BadConfig{"UnknownType", R"({"rope_scaling": {"type": "linear", "factor": 2}})",
                  "rope_scaling.rope_type is \"linear\"; supported are \"default\" and \"yarn\""},
        BadConfig{"NoType", R"({"rope_scaling": {"factor": 2}})",
                  "rope_scaling.rope_type is missing"},
        BadConfig{"TypesDiffer", R"({"rope_scaling": {"type": "yarn", "rope_type": "linear"}})",
                  "rope_scaling.type is \"yarn\" but rope_scaling.rope_type is \"linear\""},
        BadConfig{"NotAnObject", R"({"rope_scaling": 4})", "rope_scaling is 4; expected an object"},
        BadConfig{"NoFactor", R"({"rope_scaling": {"type": "yarn"}})",
                  "rope_scaling.factor is missing"},
        BadConfig{"SmallFactor", R"({"rope_scaling": {"type": "yarn", "factor": 0.5}})",
                  "rope_scaling.factor is 0.5; expected a number from 1 to"},
        BadConfig{"NoOriginal", R"({"rope_scaling": {"type": "yarn", "factor": 2}})",
                  "rope_scaling.original_max_position_embeddings is missing"},
        BadConfig{"BetasSwapped",
                  R"({"rope_scaling": {"type": "yarn", "factor": 2,
      "original_max_position_embeddings": 64, "beta_fast": 1,
      "beta_slow": 32}})",
                  "rope_scaling.beta_fast is 1, less than beta_slow, 32"},
        BadConfig{"BothSpellings",
                  R"({"rope_scaling": {"type": "default"},
      "rope_parameters": {"rope_type": "default"}})",
                  "rope_parameters and rope_scaling are both given"},
        BadConfig{"TwoThetas",
                  R"({"rope_parameters": {"rope_type": "default", "rope_theta": 500000}})",
                  "rope_parameters.rope_theta is 500000, but rope_theta beside it is 10000"},
        BadConfig{"ThetaOne", R"({"rope_theta": 1})",
                  "rope_theta is 1; expected a number above 1"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Experts, BadConfigTest,
    testing::Values(
        BadConfig{"NoTopK", R"({"num_experts_per_tok": null})", "num_experts_per_tok is missing"},
        BadConfig{"NoGroups", R"({"n_group": null})", "n_group is missing"},
        BadConfig{"NoScaling", R"({"routed_scaling_factor": null})",
                  "routed_scaling_factor is missing"},
        BadConfig{"TopKOverExperts", R"({"num_experts_per_tok": 13})",
                  "num_experts_per_tok is 13, more than the 12 experts"},
        BadConfig{"GroupsDoNotDivide", R"({"n_group": 5})", "n_group is 5; it must divide"},
        BadConfig{"TopKGroups", R"({"n_group": 2, "topk_group": 3})",
                  "topk_group is 3, more than n_group, 2"},
        BadConfig{"GroupOfOne", R"({"n_group": 12, "topk_group": 6})", "it needs at least two"},
        BadConfig{"TooFewKept", R"({"n_group": 6, "topk_group": 1})",
                  "more than the 2 experts of the 1 groups that are kept"},
        BadConfig{"Method", R"({"topk_method": "greedy"})",
                  "topk_method is \"greedy\" with scoring_func \"sigmoid\""},
        BadConfig{"Scoring", R"({"scoring_func": "tanh"})", "scoring_func \"tanh\""},
        BadConfig{"SoftmaxNormalised", R"({"scoring_func": "softmax", "topk_method": "greedy"})",
                  "norm_topk_prob is true; with scoring_func \"softmax\""}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Engram, BadConfigTest,
    testing::Values(
        BadConfig{"PlainTypeWithEngram", R"({"model_type": "deepseek_v3", "hc_mult": 1})",
                  "engram_layer_ids is not empty, but model_type deepseek_v3 has none"},
        BadConfig{"PlainTypeWithStreams", R"({"hc_mult": 4})",
                  "hc_mult is 4, but model_type deepseek_v3 has none", kPlainV3},
        BadConfig{"TooManyStreams", R"({"hc_mult": 9})",
                  "hc_mult is 9; expected an integer from 1 to 8"},
        BadConfig{"HeadMode", R"({"hc_head_mode": "mean"})",
                  "hc_head_mode is \"mean\"; expected \"learned\" or \"sum\""},
        BadConfig{"NoIterations", R"({"hc_sinkhorn_iters": 0})", "hc_sinkhorn_iters is 0"},
        BadConfig{"NoLayers", R"({"engram_layer_ids": null})", "engram_layer_ids is missing"},
        BadConfig{"LayerNotInModel", R"({"engram_layer_ids": [1, 4]})",
                  "engram_layer_ids[1] is 4; expected an integer from 0 to 3"},
        BadConfig{"LayersDescend", R"({"engram_layer_ids": [3, 1]})",
                  "has 1 after 3; the ids must ascend"},
        BadConfig{"LayerTwice", R"({"engram_layer_ids": [1, 1]})", "has 1 after 1"},
        BadConfig{"LayersNoList", R"({"engram_layer_ids": 1})",
                  "is 1; expected a list of integers"},
        BadConfig{"Order", R"({"engram_max_ngram_size": 5})", "engram_max_ngram_size is 5"},
        BadConfig{"OrderOne", R"({"engram_max_ngram_size": 1})", "engram_max_ngram_size is 1"},
        BadConfig{"NoHeads", R"({"engram_n_heads": null})", "engram_n_heads is missing"},
        BadConfig{"HeadsDoNotDivide", R"({"engram_head_dim": null, "n_embed_per_ngram": 33})",
                  "n_embed_per_ngram is 33; it must be a multiple of the 4 heads"},
        BadConfig{"NoSizes", R"({"engram_vocab_size": null})", "engram_vocab_size is missing"},
        BadConfig{"EmptySizes", R"({"engram_vocab_size": []})",
                  "engram_vocab_size has 0 entries; expected one number or 2"},
        BadConfig{"ThreeSizes", R"({"engram_vocab_size": [601, 601, 601]})", "has 3 entries"},
        BadConfig{"HugeSize", R"({"engram_vocab_size": 1099511627776})",
                  "engram_vocab_size is 1099511627776"},
        BadConfig{"RowsOfOneLayer", R"({"engram_num_embeddings": [4972]})",
                  "engram_num_embeddings has 1 entries, engram_layer_ids has 2"},
        BadConfig{"CompressedOverVocab", R"({"engram_compressed_vocab_size": 2057})",
                  "engram_compressed_vocab_size is 2057"},
        BadConfig{"NoPad", R"({"engram_pad_token_id": null})", "engram_pad_token_id is missing"},
        BadConfig{"PadOutOfVocab", R"({"engram_pad_token_id": 2056})",
                  "engram_pad_token_id is 2056"},
        BadConfig{"NegativeSeed", R"({"engram_seed": -1})", "engram_seed is -1"},
        BadConfig{"NoKernel", R"({"engram_kernel_size": null})", "engram_kernel_size is missing"},
        BadConfig{"WindowTooLong", R"({"engram_conv_dilation": 22})", "looks back 66 tokens"},
        BadConfig{"NoNormEps", R"({"engram_norm_eps": null})", "engram_norm_eps is missing"}),
    NameOf);

TEST(ModelConfigErrorsTest, RefusesWhatIsNoJsonObject) {
  EXPECT_THAT(Message(ModelConfig::Parse("").status()), HasSubstr("no valid JSON"));
  EXPECT_THAT(Message(ModelConfig::Parse("{").status()), HasSubstr("no valid JSON"));
  EXPECT_THAT(Message(ModelConfig::Parse("[]").status()), HasSubstr("no JSON object"));
  EXPECT_THAT(Message(ModelConfig::Parse(R"({"a": 1, "a": 2})").status()),
              HasSubstr("has the key 'a' twice"));
  EXPECT_THAT(Message(ModelConfig::Parse(std::string(100'000, '[')).status()),
              HasSubstr("nests deeper than 64 levels"));
}

TEST(ModelConfigErrorsTest, KeysOfDifferentObjectsMayBeEqual) {
  const std::string nested =
      R"({"model_type": {"a": 1, "b": {"a": 2}}, "x": [{"a": 1}, {"a": 1}]})";
  EXPECT_THAT(Message(ModelConfig::Parse(nested).status()), HasSubstr("expected a string"));
}

}  // namespace
}  // namespace engram
