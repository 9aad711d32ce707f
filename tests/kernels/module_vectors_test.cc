// SPDX-License-Identifier: Apache-2.0
// The ops against what other people's implementations computed: tests/testdata/modules, whose
// README says who made which tensor. Every backend of the build, to 1e−5; integers exactly.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/backend.h"
#include "nlohmann/json.hpp"
#include "tests/kernels/arrays.h"
#include "tests/kernels/backends.h"
#include "tests/testing/tensors.h"
#include "tests/testing/test_files.h"

namespace engram {
namespace {

using nlohmann::json;
using testing_support::Arrays;
using testing_support::TensorFile;

constexpr double kTolerance = 1e-5;
const char kFolder[] = "tests/testdata/modules/";

void ExpectNear(const std::vector<float>& actual, const std::vector<float>& expected,
                const std::string& what, double tolerance = kTolerance) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double error = std::abs(static_cast<double>(actual[i]) - expected[i]);
    if (!(error <= worst)) worst = error, at = i;
  }
  EXPECT_LE(worst, tolerance) << what << ": element " << at << " is " << actual[at] << ", expected "
                              << expected[at];
}

// `expected` was rounded to bf16 by the reference: the same here, to one bf16 step.
void ExpectBf16(const std::vector<float>& actual, const std::vector<float>& expected,
                const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const std::uint16_t bits = F32ToBF16(std::abs(expected[i]));
    const float step = BF16ToF32(static_cast<std::uint16_t>(bits + 1)) - BF16ToF32(bits);
    ASSERT_LE(std::abs(BF16ToF32(F32ToBF16(actual[i])) - expected[i]), step)
        << what << ": element " << i << " is " << actual[i] << ", expected " << expected[i];
  }
}

json CaseConfig(const std::string& file, const std::string& name) {
  const json all = json::parse(testing_support::ReadFile(std::string(kFolder) + "modules.json"));
  return all.at(file).at("cases").at(name);
}

class ModuleVectors : public ::testing::TestWithParam<testing_support::BackendCase> {
 protected:
  static TensorFile Load(const std::string& file) { return TensorFile::Load(kFolder + file); }
  // Tensor `name` of the file as [rows, the rest].
  Tensor Array(const TensorFile& file, const std::string& name, std::int64_t rows) {
    const std::vector<float> values = file.F32(name);
    return arrays_.F32(rows, static_cast<std::int64_t>(values.size()) / rows, values);
  }
  Tensor Array(const TensorFile& file, const std::string& name) {
    return Array(file, name, file.Shape(name)[0]);
  }
  Tensor MatMul(const Tensor& x, const Tensor& weight, const Tensor& bias = {}) {
    const Tensor out = arrays_.F32(x.rows, weight.rows);
    backend_->MatMul(context_, {.out = out, .x = x, .weight = weight, .bias = bias});
    return out;
  }

  std::unique_ptr<Backend> backend_ = GetParam().make();
  Arrays arrays_{backend_.get()};
  Context context_;
};

INSTANTIATE_TEST_SUITE_P(Backends, ModuleVectors,
                         ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

// ---- Hyper-connections ----

class MhcVectors : public ModuleVectors {
 protected:
  void RunCase(const std::string& name, bool rounded_to_bf16) {
    SCOPED_TRACE(name);
    const TensorFile file = Load("mhc.safetensors");
    const json config = CaseConfig("mhc.safetensors", name);
    const std::string prefix = name + ".";
    const int n = config.at("hc_mult");
    const std::int64_t hidden = config.at("hidden");
    const std::int64_t rows = file.Shape(prefix + "streams")[0];
    const float norm_eps = config.at("norm_eps");
    const float hc_eps = config.at("hc_eps");
    const auto expect = [&](const Tensor& actual, const std::string& tensor) {
      const std::vector<float> values = arrays_.ReadF32(actual);
      const std::vector<float> expected = file.F32(prefix + tensor);
      rounded_to_bf16 ? ExpectBf16(values, expected, tensor) : ExpectNear(values, expected, tensor);
    };

    const Tensor streams = Array(file, prefix + "streams");
    const Tensor input = arrays_.F32(rows, hidden);
    const Tensor post = arrays_.F32(rows, n);
    const Tensor comb = arrays_.F32(rows, n * n);
    backend_->HcPre(context_, {.out = input,
                               .post = post,
                               .comb = comb,
                               .streams = streams,
                               .fn = Array(file, prefix + "fn"),
                               .base = Array(file, prefix + "base", 1),
                               .scale = Array(file, prefix + "scale", 1),
                               .n = n,
                               .sinkhorn_iters = config.at("hc_sinkhorn_iters"),
                               .norm_eps = norm_eps,
                               .hc_eps = hc_eps});
    expect(input, "layer_input");
    ExpectNear(arrays_.ReadF32(post), file.F32(prefix + "post"), "post");
    ExpectNear(arrays_.ReadF32(comb), file.F32(prefix + "comb"), "comb");

    const Tensor head = arrays_.F32(rows, hidden);
    backend_->HcHead(context_, {.out = head,
                                .streams = streams,
                                .fn = Array(file, prefix + "head_fn"),
                                .base = Array(file, prefix + "head_base", 1),
                                .scale = Array(file, prefix + "head_scale", 1),
                                .n = n,
                                .norm_eps = norm_eps,
                                .hc_eps = hc_eps});
    expect(head, "head_output");

    backend_->HcPost(context_, {.streams = streams,
                                .x = Array(file, prefix + "sublayer_output"),
                                .post = post,
                                .comb = comb,
                                .n = n});
    expect(streams, "new_streams");
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, MhcVectors, ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

TEST_P(MhcVectors, F32) {
  for (const char* name : {"c0", "c1", "c2"}) RunCase(name, false);
}

TEST_P(MhcVectors, Bf16Streams) { RunCase("c3", true); }

// ---- Multi-head latent attention ----

class MlaVectors : public ModuleVectors {
 protected:
  struct Shape {
    int heads, nope, rope, v, kv_lora;
    bool interleaved;
    float scale, multiplier;
  };

  Tensor Norm(const Tensor& x, const Tensor& weight) {
    const Tensor out = arrays_.F32(x.rows, x.cols);
    backend_->RmsNorm(context_, {.out = out, .x = x, .weight = weight, .eps = 1e-6f});
    return out;
  }
  Tensor Iota(std::int64_t count, std::int32_t step = 1) {
    std::vector<std::int32_t> values(count);
    for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<std::int32_t>(i) * step;
    return arrays_.I32(1, count, values);
  }
  Tensor CosSin(const std::vector<float>& inv_freq, std::int64_t positions, double multiplier) {
    std::vector<float> table;
    for (std::int64_t p = 0; p < positions; ++p) {
      for (const float f : inv_freq) {
        table.push_back(static_cast<float>(std::cos(static_cast<double>(p) * f) * multiplier));
      }
      for (const float f : inv_freq) {
        table.push_back(static_cast<float>(std::sin(static_cast<double>(p) * f) * multiplier));
      }
    }
    return arrays_.F32(positions, static_cast<std::int64_t>(inv_freq.size()) * 2, table);
  }
  void Rope(const Tensor& x, const Tensor& cos_sin, const Shape& shape, int heads, int stride) {
    backend_->Rope(context_, {.x = x,
                              .positions = Iota(x.rows),
                              .cos_sin = cos_sin,
                              .heads = heads,
                              .head_stride = stride,
                              .offset = stride - shape.rope,
                              .rope_dim = shape.rope,
                              .interleaved = shape.interleaved});
  }

  void RunCase(const std::string& name) {
    SCOPED_TRACE(name);
    const TensorFile file = Load("mla.safetensors");
    const json all = CaseConfig("mla.safetensors", name);
    const json& config = all.at("config");
    const Shape shape = {.heads = config.at("num_attention_heads"),
                         .nope = config.at("qk_nope_head_dim"),
                         .rope = config.at("qk_rope_head_dim"),
                         .v = config.at("v_head_dim"),
                         .kv_lora = config.at("kv_lora_rank"),
                         .interleaved = config.at("rope_interleave"),
                         .scale = all.at("score_scale"),
                         .multiplier = all.at("cos_sin_multiplier")};
    const auto array = [&](const std::string& tensor) { return Array(file, name + "." + tensor); };
    const auto vector = [&](const std::string& tensor) {
      return Array(file, name + "." + tensor, 1);
    };
    const Tensor hidden = array("hidden");
    const std::int64_t rows = hidden.rows;
    const Tensor cos_sin = CosSin(file.F32(name + ".inv_freq"), rows, shape.multiplier);

    Tensor q;
    if (file.Has(name + ".q_proj.weight")) {
      q = MatMul(hidden, array("q_proj.weight"));
    } else {
      const Tensor a = MatMul(hidden, array("q_a_proj.weight"));
      q = MatMul(Norm(a, vector("q_a_layernorm.weight")), array("q_b_proj.weight"));
    }
    Rope(q, cos_sin, shape, shape.heads, shape.nope + shape.rope);
    const Tensor kv_a = MatMul(hidden, array("kv_a_proj_with_mqa.weight"));
    const Tensor latent = Norm(kv_a.Cols(0, shape.kv_lora), vector("kv_a_layernorm.weight"));
    const Tensor k_pe = kv_a.Cols(shape.kv_lora, shape.rope);
    Rope(k_pe, cos_sin, shape, 1, shape.rope);
    ExpectNear(arrays_.ReadF32(latent), file.F32(name + ".cache_latent"), "cache_latent");
    ExpectNear(
        arrays_.ReadF32(k_pe),
        file.F32(name + (shape.interleaved ? ".cache_k_pe_pairs" : ".cache_k_pe_half_split")),
        "cache_k_pe");
    const Tensor values = Attend(shape, q, latent, k_pe, array("kv_b_proj.weight"));
    const Tensor output = MatMul(values, array("o_proj.weight"));
    ExpectNear(arrays_.ReadF32(output), file.F32(name + ".output"), "output");
  }

  // Through the paged cache, absorbed: [T, heads · v]. The blocks lie in reverse order.
  Tensor Attend(const Shape& shape, const Tensor& q, const Tensor& latent, const Tensor& k_pe,
                const Tensor& kv_b) {
    constexpr int kBlockSize = 16;
    const std::int64_t rows = q.rows;
    const auto blocks = static_cast<std::int32_t>((rows + kBlockSize - 1) / kBlockSize);
    std::vector<std::int32_t> table(blocks);
    for (std::int32_t b = 0; b < blocks; ++b) table[b] = blocks - 1 - b;
    std::vector<std::int32_t> slots(rows);
    for (std::int64_t t = 0; t < rows; ++t) {
      slots[t] = table[t / kBlockSize] * kBlockSize + static_cast<std::int32_t>(t % kBlockSize);
    }
    const Tensor cache = arrays_.F32(blocks * kBlockSize, shape.kv_lora + shape.rope);
    const Tensor q_latent = arrays_.F32(rows, shape.heads * shape.kv_lora);
    const Tensor o_latent = arrays_.F32(rows, shape.heads * shape.kv_lora);
    const Tensor values = arrays_.F32(rows, shape.heads * shape.v);
    backend_->MlaWriteCache(
        context_,
        {.cache = cache, .latent = latent, .k_pe = k_pe, .slots = arrays_.I32(1, rows, slots)});
    backend_->MlaAbsorbQuery(context_, {.out = q_latent,
                                        .q = q,
                                        .kv_b = kv_b,
                                        .heads = shape.heads,
                                        .nope = shape.nope,
                                        .rope = shape.rope,
                                        .v = shape.v});
    backend_->MlaAttention(context_, {.out = o_latent,
                                      .q_latent = q_latent,
                                      .q = q,
                                      .cache = cache,
                                      .positions = Iota(rows),
                                      .sequence = Iota(rows, 0),
                                      .block_tables = arrays_.I32(1, blocks, table),
                                      .heads = shape.heads,
                                      .nope = shape.nope,
                                      .rope = shape.rope,
                                      .kv_lora = shape.kv_lora,
                                      .block_size = kBlockSize,
                                      .scale = shape.scale});
    backend_->MlaProjectValues(context_, {.out = values,
                                          .o_latent = o_latent,
                                          .kv_b = kv_b,
                                          .heads = shape.heads,
                                          .nope = shape.nope,
                                          .v = shape.v});
    return values;
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, MlaVectors, ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

TEST_P(MlaVectors, QueryLoraAndYarn) { RunCase("c0"); }
TEST_P(MlaVectors, NoQueryLora) { RunCase("c1"); }
TEST_P(MlaVectors, HalfSplitRope) { RunCase("c2"); }

// ---- Mixture of experts ----

TEST_P(ModuleVectors, MoeRouting) {
  const TensorFile file = Load("moe_routing.safetensors");
  for (const std::string name : {"c0", "c1", "c2", "c3", "c4", "c5", "v2_greedy", "v2_group"}) {
    SCOPED_TRACE(name);
    const json config = CaseConfig("moe_routing.safetensors", name);
    const Tensor hidden = Array(file, name + ".hidden");
    const Tensor logits = MatMul(hidden, Array(file, name + ".weight"));
    ExpectNear(arrays_.ReadF32(logits), file.F32(name + ".logits"), "logits");
    const std::int64_t top_k = config.at("num_experts_per_tok");
    const Tensor indices = arrays_.I32(hidden.rows, top_k);
    const Tensor weights = arrays_.F32(hidden.rows, top_k);
    const bool softmax = config.value("scoring_func", "sigmoid") == "softmax";
    backend_->MoeRoute(context_, {.indices = indices,
                                  .weights = weights,
                                  .logits = logits,
                                  .bias = softmax ? Tensor{} : Array(file, name + ".bias", 1),
                                  .scoring = softmax ? MoeScoring::kSoftmax : MoeScoring::kSigmoid,
                                  .n_group = config.at("n_group"),
                                  .topk_group = config.at("topk_group"),
                                  .norm_topk_prob = config.at("norm_topk_prob"),
                                  .scaling = config.at("routed_scaling_factor")});
    EXPECT_EQ(arrays_.ReadI32(indices), file.I32(name + ".indices"));
    ExpectNear(arrays_.ReadF32(weights), file.F32(name + ".weights"), "weights");
  }
}

TEST_P(ModuleVectors, MoeBlock) {
  const TensorFile file = Load("moe_block.safetensors");
  const auto weight = [&](const std::string& name) { return Array(file, name + ".weight"); };
  const Tensor hidden = Array(file, "hidden");
  const std::int64_t rows = hidden.rows;
  const Tensor indices = arrays_.I32(rows, 2);
  const Tensor weights = arrays_.F32(rows, 2);
  backend_->MoeRoute(context_, {.indices = indices,
                                .weights = weights,
                                .logits = MatMul(hidden, weight("gate")),
                                .bias = Array(file, "gate.e_score_correction_bias", 1),
                                .scoring = MoeScoring::kSigmoid,
                                .n_group = 2,
                                .topk_group = 1,
                                .norm_topk_prob = true,
                                .scaling = 2.5f});
  std::vector<ExpertWeights> experts;
  for (int e = 0; e < 8; ++e) {
    const std::string prefix = "experts." + std::to_string(e);
    experts.push_back({.gate = weight(prefix + ".gate_proj"),
                       .up = weight(prefix + ".up_proj"),
                       .down = weight(prefix + ".down_proj")});
  }
  const std::int64_t inner = experts[0].gate.rows;
  const Tensor out = arrays_.F32(rows, hidden.cols);
  backend_->MoeExperts(context_, {.out = out,
                                  .x = hidden,
                                  .indices = indices,
                                  .weights = weights,
                                  .experts = experts,
                                  .workspace = arrays_.F32(rows * 2, 2 * inner + hidden.cols)});
  const Tensor gate = MatMul(hidden, weight("shared_experts.gate_proj"));
  const Tensor up = MatMul(hidden, weight("shared_experts.up_proj"));
  backend_->SiluMul(context_, {.out = gate, .gate = gate, .up = up});
  const Tensor shared = MatMul(gate, weight("shared_experts.down_proj"));
  backend_->Add(context_, {.out = out, .x = shared});
  ExpectNear(arrays_.ReadF32(out), file.F32("output"), "output");
}

// ---- Engram ----

class EngramVectors : public ModuleVectors {
 protected:
  void RunLayer(const std::string& name) {
    const std::string path = "engram_layer_" + name + ".safetensors";
    SCOPED_TRACE(path);
    const TensorFile file = Load(path);
    const json all = json::parse(testing_support::ReadFile(std::string(kFolder) + "modules.json"));
    const json& config = all.at(path).at("config");
    const int n = config.at("hc_mult");
    const std::int64_t rows = file.Shape("hidden")[0];
    const std::int64_t hidden = config.at("hidden_size");

    const Tensor embeddings = Gather(file, rows);
    ExpectNear(arrays_.ReadF32(embeddings), file.F32("embeddings"), "embeddings", 0);
    const Tensor bias = file.Has("engram.wkv.bias") ? Array(file, "engram.wkv.bias", 1) : Tensor{};
    const Tensor kv = MatMul(embeddings, Array(file, "engram.wkv.weight"), bias);
    const Tensor gates = arrays_.F32(rows, n);
    const Tensor value = arrays_.F32(rows, n * hidden);
    backend_->EngramGate(context_,
                         {.gates = gates,
                          .value = value,
                          .streams = Array(file, "hidden"),
                          .kv = kv,
                          .q_weight = Array(file, "engram.q_weight", 1),
                          .k_weight = Array(file, "engram.k_weight", 1),
                          .enabled = arrays_.I32(1, rows, std::vector<std::int32_t>(rows, 1)),
                          .n = n,
                          .norm_eps = config.at("engram_norm_eps"),
                          .gate_sqrt = config.at("engram_gate_sqrt")});
    ExpectNear(arrays_.ReadF32(gates), file.F32("gates"), "gates");
    ExpectNear(arrays_.ReadF32(value), file.F32("value"), "value");

    // `output` is what the layer adds, so it starts from streams of zeros.
    const Tensor output = arrays_.F32(rows, n * hidden);
    if (config.at("engram_kernel_size") == 0) {
      backend_->Add(context_, {.out = output, .x = value});
    } else {
      Convolve(file, config, value, output);
    }
    ExpectNear(arrays_.ReadF32(output), file.F32("output"), "output");
  }

  // The rows that the hash points at, in the order the table's storage would deliver them.
  Tensor Gather(const TensorFile& file, std::int64_t tokens) {
    const Tensor table = Array(file, "engram.embed.weight");
    const std::vector<std::int32_t> ids = file.I32("rows");
    const auto lookups = static_cast<std::int64_t>(ids.size());
    const Tensor gathered = arrays_.F32(lookups, table.cols);
    backend_->GatherRows(context_,
                         {.out = gathered, .x = table, .index = arrays_.I32(1, lookups, ids)});
    const Tensor out = arrays_.F32(tokens, lookups / tokens * table.cols);
    const EngramRowFormat format = {.dtype = DType::kF32, .head_dim = static_cast<int>(table.cols)};
    const auto row_bytes = static_cast<std::int64_t>(format.row_bytes());
    backend_->EngramDecodeRows(context_,
                               {.out = out,
                                .rows = MakeTensor(gathered.data, DType::kU8, lookups, row_bytes),
                                .format = format});
    return out;
  }

  void Convolve(const TensorFile& file, const json& config, const Tensor& value,
                const Tensor& streams) {
    const int n = config.at("hc_mult");
    const int dilation = config.at("engram_conv_dilation");
    const Tensor weight = Array(file, "engram.short_conv.conv.weight");
    const std::int64_t window = (weight.cols - 1) * dilation;
    const std::int32_t first = 0;
    const std::int32_t source = 0;
    const auto count = static_cast<std::int32_t>(value.rows);
    backend_->EngramConv(context_, {.streams = streams,
                                    .value = value,
                                    .norm_weight = Array(file, "engram.short_conv.norm_weight", 1),
                                    .conv_weight = weight,
                                    .state = arrays_.F32(window, value.cols),
                                    .normed = arrays_.F32(value.rows, value.cols),
                                    .slice_first_row = {&first, 1},
                                    .slice_row_count = {&count, 1},
                                    .slice_source = {&source, 1},
                                    .write_slice = {},
                                    .write_after_row = {},
                                    .write_entry = {},
                                    .n = n,
                                    .dilation = dilation,
                                    .eps = config.at("engram_conv_eps")});
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, EngramVectors,
                         ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

TEST_P(EngramVectors, PaperLayer) { RunLayer("paper"); }
TEST_P(EngramVectors, DemoLayer) { RunLayer("demo"); }
TEST_P(EngramVectors, PlainLayer) { RunLayer("plain"); }

TEST_P(EngramVectors, GateBf16) {
  const TensorFile file = Load("engram_gate_bf16.safetensors");
  const std::int64_t rows = 40;
  const int n = 4;
  const std::int64_t hidden = 256;
  const Tensor kv = arrays_.F32(rows, (n + 1) * hidden);
  backend_->CopyToDevice(context_, kv.Cols(0, n * hidden), file.F32("key").data());
  backend_->CopyToDevice(context_, kv.Cols(n * hidden, hidden), file.F32("value").data());
  const Tensor streams = Array(file, "hidden");
  const Tensor gates = arrays_.F32(rows, n);
  const Tensor value = arrays_.F32(rows, n * hidden);
  backend_->EngramGate(context_,
                       {.gates = gates,
                        .value = value,
                        .streams = streams,
                        .kv = kv,
                        .q_weight = Array(file, "q_weight", 1),
                        .k_weight = Array(file, "k_weight", 1),
                        .enabled = arrays_.I32(1, rows, std::vector<std::int32_t>(rows, 1)),
                        .n = n,
                        .norm_eps = 1e-20f,
                        .gate_sqrt = true});
  ExpectNear(arrays_.ReadF32(gates), file.F32("gates"), "gates");
  EXPECT_EQ(arrays_.ReadF32(gates)[3 * n + 1], 0.5f) << "row 3, branch 1 has a score of exactly 0";
  backend_->Add(context_, {.out = streams, .x = value});
  ExpectBf16(arrays_.ReadF32(streams), file.F32("output"), "output");
}

}  // namespace
}  // namespace engram
