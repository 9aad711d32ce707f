// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/tensor_aliases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"

namespace engram {
namespace {

using testing::HasSubstr;

TEST(TensorAliasesTest, TheFormatsOwnNamesStay) {
  for (const char* name :
       {"model.layers.3.hc_attn_fn", "model.hc_head_scale", "model.layers.1.engram.embed.weight",
        "model.layers.1.engram.short_conv.norm_weight", "model.layers.1.engram.wkv.bias",
        "model.layers.0.self_attn.kv_a_proj_with_mqa.weight", "lm_head.weight"}) {
    const auto canonical = CanonicalTensorName(name);
    ASSERT_TRUE(canonical.ok()) << canonical.status();
    EXPECT_EQ(*canonical, name);
  }
}

TEST(TensorAliasesTest, RenamesTransformersHyperConnections) {
  const auto canonical = [](const char* name) { return *CanonicalTensorName(name); };
  EXPECT_EQ(canonical("model.layers.3.attn_hc.fn"), "model.layers.3.hc_attn_fn");
  EXPECT_EQ(canonical("model.layers.3.attn_hc.base"), "model.layers.3.hc_attn_base");
  EXPECT_EQ(canonical("model.layers.3.attn_hc.scale"), "model.layers.3.hc_attn_scale");
  EXPECT_EQ(canonical("model.layers.3.ffn_hc.fn"), "model.layers.3.hc_ffn_fn");
  EXPECT_EQ(canonical("model.layers.3.ffn_hc.base"), "model.layers.3.hc_ffn_base");
  EXPECT_EQ(canonical("model.layers.3.ffn_hc.scale"), "model.layers.3.hc_ffn_scale");
  EXPECT_EQ(canonical("model.hc_head.hc_fn"), "model.hc_head_fn");
  EXPECT_EQ(canonical("model.hc_head.hc_base"), "model.hc_head_base");
  EXPECT_EQ(canonical("model.hc_head.hc_scale"), "model.hc_head_scale");
}

TEST(TensorAliasesTest, RenamesTheDemosTable) {
  EXPECT_EQ(*CanonicalTensorName("model.layers.1.engram.multi_head_embedding.embedding.weight"),
            "model.layers.1.engram.embed.weight");
}

TEST(TensorAliasesTest, SaysHowToConvertWhatIsCutInAnotherWay) {
  const auto error = [](const char* name) {
    const auto canonical = CanonicalTensorName(name);
    EXPECT_EQ(canonical.status().code(), absl::StatusCode::kUnimplemented) << name;
    return Message(canonical.status());
  };
  EXPECT_THAT(error("model.layers.1.engram.key_projs.0.weight"), HasSubstr("to engram.wkv"));
  EXPECT_THAT(error("model.layers.1.engram.value_proj.bias"), HasSubstr("to engram.wkv"));
  EXPECT_THAT(error("model.layers.1.engram.norm1.2.weight"), HasSubstr("to engram.k_weight"));
  EXPECT_THAT(error("model.layers.1.engram.norm2.2.weight"), HasSubstr("to engram.q_weight"));
  EXPECT_THAT(error("model.layers.1.engram.short_conv.norms.0.weight"),
              HasSubstr("to engram.short_conv.norm_weight"));
  EXPECT_THAT(error("model.layers.1.ple.key_proj.weight"), HasSubstr("another architecture"));
}

}  // namespace
}  // namespace engram
