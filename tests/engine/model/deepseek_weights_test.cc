// SPDX-License-Identifier: Apache-2.0
// Which tensors a model asks its checkpoint for. Real checkpoints are golden_test's.
#include "engine/model/deepseek_weights.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/backend_factory.h"

namespace engram {
namespace {

using ::testing::HasSubstr;

// Has every tensor but those of `missing`, all zeros; notes what is asked for.
class NotingCheckpoint final : public Checkpoint {
 public:
  explicit NotingCheckpoint(std::set<std::string> missing) : missing_(std::move(missing)) {}

  absl::StatusOr<const TensorInfo*> Get(const TensorSpec& spec) override {
    asked_[spec.name] = spec;
    if (missing_.contains(spec.name)) {
      if (spec.optional) return nullptr;
      return absl::NotFoundError("no tensor " + spec.name);
    }
    std::int64_t elements = 1;
    for (const std::int64_t size : spec.shape) elements *= size;
    auto tensor = std::make_unique<Made>();
    tensor->bytes.resize(elements * DTypeBytes(DType::kF32));
    tensor->info = {spec.name, DType::kF32, spec.shape, tensor->bytes, "fake",
                    std::nullopt};
    made_.push_back(std::move(tensor));
    return &made_.back()->info;
  }

  const TensorInfo* Find(const std::string&) const override { return nullptr; }

  absl::Status CheckNothingLeft(
      const std::function<bool(std::string_view name)>& ignore) const override {
    for (const std::string& name : surplus) {
      if (!ignore(name)) return absl::InvalidArgumentError("surplus " + name);
    }
    return absl::OkStatus();
  }
  std::int64_t total_bytes() const override { return 0; }

  bool Asked(const std::string& name) const { return asked_.contains(name); }
  const std::vector<std::int64_t>& Shape(const std::string& name) const {
    return asked_.at(name).shape;
  }

  std::vector<std::string> surplus;

 private:
  struct Made {
    std::vector<std::byte> bytes;
    TensorInfo info;
  };
  std::set<std::string> missing_;
  std::map<std::string, TensorSpec> asked_;
  std::vector<std::unique_ptr<Made>> made_;
};

ModelConfig Config() {
  ModelConfig config;
  config.model_type = "deepseek_v3_engram";
  config.vocab_size = 50;
  config.hidden_size = 8;
  config.num_layers = 3;
  config.num_heads = 2;
  config.q_lora_rank = 6;
  config.kv_lora_rank = 5;
  config.qk_nope_head_dim = 4;
  config.qk_rope_head_dim = 2;
  config.v_head_dim = 3;
  config.intermediate_size = 16;
  config.moe_intermediate_size = 7;
  config.first_k_dense_replace = 1;
  config.n_routed_experts = 4;
  config.n_shared_experts = 2;
  config.num_experts_per_tok = 2;
  config.hc_mult = 4;
  config.engram.layer_ids = {1};
  config.engram.max_ngram_size = 3;
  config.engram.heads = 2;
  config.engram.head_dim = 5;
  config.engram_kernel_size = 4;
  return config;
}

class DeepseekWeightsTest : public ::testing::Test {
 protected:
  absl::StatusOr<DeepseekWeights> Load(const ModelConfig& config,
                                       std::set<std::string> missing = {}) {
    checkpoint_ = std::make_unique<NotingCheckpoint>(std::move(missing));
    checkpoint_->surplus = surplus_;
    const std::vector<std::int64_t> table_rows(config.engram.layer_ids.size(), 77);
    return LoadDeepseekWeights(config, table_rows, checkpoint_.get(), backend_.get());
  }

  const std::vector<std::int64_t>& Shape(const std::string& name) {
    return checkpoint_->Shape(name);
  }

  std::vector<std::string> surplus_;
  std::unique_ptr<Backend> backend_ = MakeBackend("ref", {});
  std::unique_ptr<NotingCheckpoint> checkpoint_;
};

using Shapes = std::vector<std::int64_t>;

TEST_F(DeepseekWeightsTest, BackboneHasHuggingFacesNamesAndShapes) {
  ASSERT_TRUE(Load(Config()).ok());
  EXPECT_EQ(Shape("model.embed_tokens.weight"), (Shapes{50, 8}));
  EXPECT_EQ(Shape("lm_head.weight"), (Shapes{50, 8}));
  EXPECT_EQ(Shape("model.norm.weight"), (Shapes{8}));
  const std::string attention = "model.layers.2.self_attn.";
  EXPECT_EQ(Shape(attention + "q_a_proj.weight"), (Shapes{6, 8}));
  EXPECT_EQ(Shape(attention + "q_a_layernorm.weight"), (Shapes{6}));
  EXPECT_EQ(Shape(attention + "q_b_proj.weight"), (Shapes{12, 6}));
  EXPECT_EQ(Shape(attention + "kv_a_proj_with_mqa.weight"), (Shapes{7, 8}));
  EXPECT_EQ(Shape(attention + "kv_a_layernorm.weight"), (Shapes{5}));
  EXPECT_EQ(Shape(attention + "kv_b_proj.weight"), (Shapes{14, 5}));
  EXPECT_EQ(Shape(attention + "o_proj.weight"), (Shapes{8, 6}));
  EXPECT_FALSE(checkpoint_->Asked(attention + "q_proj.weight"));
  EXPECT_EQ(Shape("model.layers.0.mlp.gate_proj.weight"), (Shapes{16, 8}));
  EXPECT_EQ(Shape("model.layers.2.mlp.gate.weight"), (Shapes{4, 8}));
  EXPECT_EQ(Shape("model.layers.2.mlp.experts.3.down_proj.weight"), (Shapes{8, 7}));
  EXPECT_EQ(Shape("model.layers.2.mlp.shared_experts.up_proj.weight"), (Shapes{14, 8}));
  EXPECT_FALSE(checkpoint_->Asked("model.layers.2.mlp.experts.4.down_proj.weight"));
  EXPECT_FALSE(checkpoint_->Asked("model.layers.0.mlp.gate.weight"));
}

TEST_F(DeepseekWeightsTest, AdditionsHaveTheNamesOfTheFormat) {
  ASSERT_TRUE(Load(Config()).ok());
  EXPECT_EQ(Shape("model.layers.0.hc_attn_fn"), (Shapes{24, 32}));
  EXPECT_EQ(Shape("model.layers.2.hc_ffn_base"), (Shapes{24}));
  EXPECT_EQ(Shape("model.layers.2.hc_ffn_scale"), (Shapes{3}));
  EXPECT_EQ(Shape("model.hc_head_fn"), (Shapes{4, 32}));
  EXPECT_EQ(Shape("model.layers.1.engram.embed.weight"), (Shapes{77, 5}));
  EXPECT_EQ(Shape("model.layers.1.engram.wkv.weight"), (Shapes{40, 20}));
  EXPECT_EQ(Shape("model.layers.1.engram.q_weight"), (Shapes{4, 8}));
  EXPECT_EQ(Shape("model.layers.1.engram.short_conv.norm_weight"), (Shapes{4, 8}));
  EXPECT_EQ(Shape("model.layers.1.engram.short_conv.conv.weight"), (Shapes{32, 1, 4}));
  EXPECT_FALSE(checkpoint_->Asked("model.layers.1.engram.wkv.bias"));
  EXPECT_FALSE(checkpoint_->Asked("model.layers.0.engram.wkv.weight"));
}

TEST_F(DeepseekWeightsTest, SwitchesLeaveTensorsOut) {
  ModelConfig config = Config();
  config.q_lora_rank = 0;
  config.hc_mult = 1;
  config.engram_kernel_size = 0;
  config.engram_bias = true;
  config.n_shared_experts = 0;
  config.tie_word_embeddings = true;
  const absl::StatusOr<DeepseekWeights> weights = Load(config);
  ASSERT_TRUE(weights.ok());
  EXPECT_EQ(Shape("model.layers.0.self_attn.q_proj.weight"), (Shapes{12, 8}));
  EXPECT_EQ(Shape("model.layers.1.engram.wkv.bias"), (Shapes{16}));
  for (const std::string name :
       {"model.layers.0.self_attn.q_a_proj.weight", "model.layers.0.hc_attn_fn", "model.hc_head_fn",
        "model.layers.1.engram.short_conv.conv.weight",
        "model.layers.2.mlp.shared_experts.up_proj.weight", "lm_head.weight"}) {
    EXPECT_FALSE(checkpoint_->Asked(name)) << name;
  }
  EXPECT_EQ(weights->lm_head.data, weights->embedding.data);
}

TEST_F(DeepseekWeightsTest, RouterBiasMayBeMissing) {
  const std::string name = "model.layers.1.mlp.gate.e_score_correction_bias";
  const absl::StatusOr<DeepseekWeights> weights = Load(Config(), {name});
  ASSERT_TRUE(weights.ok());
  EXPECT_TRUE(weights->layers[1].ffn.router_bias.empty());
  EXPECT_FALSE(weights->layers[2].ffn.router_bias.empty());
}

TEST_F(DeepseekWeightsTest, ExitIsLearnedIfItsTensorsAreThere) {
  ModelConfig config = Config();
  EXPECT_FALSE(Load(config)->hc_head.fn.empty());
  EXPECT_TRUE(Load(config, {"model.hc_head_fn"})->hc_head.fn.empty());
  EXPECT_FALSE(Load(config, {"model.hc_head_base"}).ok());  // half of it is a mistake
  config.hc_exit = HcExit::kSum;
  EXPECT_TRUE(Load(config)->hc_head.fn.empty());
  config.hc_exit = HcExit::kLearned;
  EXPECT_FALSE(Load(config, {"model.hc_head_fn"}).ok());
}

TEST_F(DeepseekWeightsTest, FirstMissingTensorIsTheError) {
  const absl::Status status =
      Load(Config(), {"model.layers.2.mlp.experts.1.up_proj.weight", "model.norm.weight"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), HasSubstr("model.layers.2.mlp.experts.1.up_proj.weight"));
}

TEST_F(DeepseekWeightsTest, PartsThatAreNotRunMayBeInTheFile) {
  ModelConfig config = Config();
  config.num_nextn_predict_layers = 2;
  surplus_ = {"model.layers.3.eh_proj.weight", "model.layers.4.mlp.experts.0.up_proj.weight",
              "model.layers.0.self_attn.rotary_emb.inv_freq"};
  EXPECT_TRUE(Load(config).ok());
  config.tie_word_embeddings = true;
  surplus_ = {"lm_head.weight"};
  EXPECT_TRUE(Load(config).ok());
}

TEST_F(DeepseekWeightsTest, AnythingElseMayNot) {
  ModelConfig config = Config();
  config.num_nextn_predict_layers = 1;
  for (const std::string name :
       {"model.layers.2.eh_proj.weight", "model.layers.4.eh_proj.weight", "model.layers.3",
        "model.layers.x.weight", "lm_head.weight", "model.layers.1.engram.wkv.bias"}) {
    surplus_ = {name};
    EXPECT_THAT(Message(Load(config).status()), HasSubstr(name));
  }
}

}  // namespace
}  // namespace engram
