// SPDX-License-Identifier: Apache-2.0
// What single ops promise beyond their formula: ties in the routing, the cache's block tables, rows
// without memory, what is out of range, empty steps.
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "tests/kernels/backends.h"
#include "tests/kernels/op_cases.h"

namespace engram {
namespace {

using testing_support::Arrays;
using testing_support::BackendCase;
using testing_support::RandomF32;
using testing_support::RandomValue;

class OpProperties : public ::testing::TestWithParam<BackendCase> {
 protected:
  std::unique_ptr<Backend> backend_ = GetParam().make();
  Arrays arrays_{backend_.get()};

  struct Routed {
    std::vector<std::int32_t> indices;
    std::vector<float> weights;
  };
  Routed Route(const std::vector<float>& logits, const std::vector<float>& bias, int top_k,
               int n_group, int topk_group, MoeScoring scoring = MoeScoring::kSigmoid) {
    const auto experts = static_cast<std::int64_t>(logits.size());
    const Tensor indices = arrays_.I32(1, top_k);
    const Tensor weights = arrays_.F32(1, top_k);
    backend_->MoeRoute({}, {.indices = indices,
                            .weights = weights,
                            .logits = arrays_.F32(1, experts, logits),
                            .bias = bias.empty() ? Tensor{} : arrays_.F32(1, experts, bias),
                            .scoring = scoring,
                            .n_group = n_group,
                            .topk_group = topk_group,
                            .norm_topk_prob = true,
                            .scaling = 1});
    return {arrays_.ReadI32(indices), arrays_.ReadF32(weights)};
  }
};

using Indices = std::vector<std::int32_t>;

INSTANTIATE_TEST_SUITE_P(Backends, OpProperties,
                         ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

// ---- Routing ----

TEST_P(OpProperties, EqualScoresGoToTheLowerExpert) {
  EXPECT_EQ(Route({1, 2, 1, 2, 1, 2}, {}, 4, 1, 1).indices, (Indices{0, 1, 3, 5}));
  EXPECT_EQ(Route(std::vector<float>(9, 0.5f), {}, 3, 1, 1).indices, (Indices{0, 1, 2}));
  // Different logits, the same score in f32: a sigmoid of 1.
  EXPECT_EQ(Route({0, 40, 30, 60}, {}, 2, 1, 1).indices, (Indices{1, 2}));
}

TEST_P(OpProperties, EqualGroupsGoToTheLowerGroup) {
  EXPECT_EQ(Route({0, 1, 1, 0, 1, 0, 0, 1}, {}, 2, 4, 2).indices, (Indices{1, 2}));
  // Groups by the sum of their two best (sigmoid) or by their best (softmax).
  const std::vector<float> logits = {3, -9, -9, 2, 2, -9};
  EXPECT_EQ(Route(logits, {}, 1, 2, 1).indices, (Indices{3}));
  EXPECT_EQ(Route(logits, {}, 1, 2, 1, MoeScoring::kSoftmax).indices, (Indices{0}));
}

TEST_P(OpProperties, BiasSelectsButDoesNotWeigh) {
  const Routed routed = Route({0, 0, 0, 0}, {0, 5, 0, -5}, 2, 1, 1);
  EXPECT_EQ(routed.indices, (Indices{0, 1}));
  EXPECT_EQ(routed.weights, (std::vector<float>{0.5f, 0.5f}));
}

// A model gone wrong must not make the router read or write out of bounds.
TEST_P(OpProperties, NotANumberStillChoosesDistinctExperts) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const int n_group : {1, 2}) {
    const Indices indices = Route({kNan, kNan, 1, kNan, kNan, kNan}, {}, 3, n_group, 1).indices;
    EXPECT_TRUE(indices[0] < indices[1] && indices[1] < indices[2]);
    EXPECT_TRUE(indices[0] >= 0 && indices[2] < 6);
  }
}

// ---- The paged cache ----

// The same sequence through two block tables: where the blocks lie must not show.
TEST_P(OpProperties, AttentionDoesNotSeeWhereBlocksLie) {
  constexpr int kHeads = 5, kNope = 4, kRope = 6, kLora = 19, kBlock = 8, kBlocks = 40;
  constexpr int kLength = 300;
  const auto run = [&](const std::vector<std::int32_t>& table) {
    const Tensor cache = arrays_.F32(kBlocks * kBlock, kLora + kRope);
    std::vector<std::int32_t> slots;
    for (int p = 0; p < kLength; ++p) slots.push_back(table[p / kBlock] * kBlock + p % kBlock);
    backend_->MlaWriteCache({}, {.cache = cache,
                                 .latent = RandomF32(arrays_, 1, kLength, kLora),
                                 .k_pe = RandomF32(arrays_, 2, kLength, kRope),
                                 .slots = arrays_.I32(1, kLength, slots)});
    const Tensor out = arrays_.F32(3, kHeads * kLora);
    backend_->MlaAttention(
        {}, {.out = out,
             .q_latent = RandomF32(arrays_, 3, 3, kHeads * kLora),
             .q = RandomF32(arrays_, 4, 3, kHeads * (kNope + kRope)),
             .cache = cache,
             .positions = arrays_.I32(1, 3, {kLength - 1, 17, 0}),
             .sequence = arrays_.I32(1, 3, {0, 0, 0}),
             .block_tables = arrays_.I32(1, static_cast<std::int64_t>(table.size()), table),
             .heads = kHeads,
             .nope = kNope,
             .rope = kRope,
             .kv_lora = kLora,
             .block_size = kBlock,
             .scale = 0.3f});
    return arrays_.ReadF32(out);
  };
  std::vector<std::int32_t> straight, scrambled;
  for (std::int32_t i = 0; i < kBlocks; ++i) straight.push_back(i);
  for (std::int32_t i = 0; i < kBlocks; ++i) scrambled.push_back((i * 17 + 5) % kBlocks);
  EXPECT_EQ(run(straight), run(scrambled));
}

// Entries behind a row's position may hold anything; one position alone is its own average.
TEST_P(OpProperties, AttentionDoesNotReadAhead) {
  constexpr int kLora = 7, kRope = 2;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> cache(4 * (kLora + kRope), nan);
  for (int i = 0; i < kLora + kRope; ++i) cache[i] = RandomValue(1, 0, i);
  const Tensor out = arrays_.F32(1, kLora);
  backend_->MlaAttention({}, {.out = out,
                              .q_latent = RandomF32(arrays_, 2, 1, kLora),
                              .q = RandomF32(arrays_, 3, 1, 1 + kRope),
                              .cache = arrays_.F32(4, kLora + kRope, cache),
                              .positions = arrays_.I32(1, 1, {0}),
                              .sequence = arrays_.I32(1, 1, {0}),
                              .block_tables = arrays_.I32(1, 1, {0}),
                              .heads = 1,
                              .nope = 1,
                              .rope = kRope,
                              .kv_lora = kLora,
                              .block_size = 4,
                              .scale = 1});
  cache.resize(kLora);
  EXPECT_EQ(arrays_.ReadF32(out), cache);
}

// ---- Numbers at the edge ----

TEST_P(OpProperties, SiluOfLargeGatesIsFinite) {
  const std::vector<float> gates = {-1e30f, -200, -88, -1e-30f, 0, 1e-30f, 88, 200, 1e30f};
  const auto count = static_cast<std::int64_t>(gates.size());
  const Tensor out = arrays_.F32(1, count);
  backend_->SiluMul({}, {.out = out,
                         .gate = arrays_.F32(1, count, gates),
                         .up = arrays_.F32(1, count, std::vector<float>(count, 1))});
  const std::vector<float> actual = arrays_.ReadF32(out);
  for (std::int64_t i = 0; i < count; ++i) {
    const double x = gates[i];
    EXPECT_NEAR(actual[i], x / (1 + std::exp(-x)), 1e-6 * std::max(1.0, std::abs(x))) << x;
  }
}

TEST_P(OpProperties, NotANumberIsPassedOn) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> row(20, 1);
  row[13] = nan;
  const Tensor x = arrays_.F32(1, 20, row);
  const Tensor product = arrays_.F32(1, 1);
  backend_->MatMul({},
                   {.out = product, .x = x, .weight = RandomF32(arrays_, 1, 1, 20), .bias = {}});
  EXPECT_TRUE(std::isnan(arrays_.ReadF32(product)[0]));
  backend_->SiluMul({}, {.out = x, .gate = x, .up = x});
  EXPECT_TRUE(std::isnan(arrays_.ReadF32(x)[13]));
}

TEST_P(OpProperties, AStepWithoutRowsDoesNothing) {
  backend_->MatMul({}, {.out = arrays_.F32(0, 8),
                        .x = arrays_.F32(0, 8),
                        .weight = RandomF32(arrays_, 1, 8, 8),
                        .bias = {}});
  backend_->RmsNorm({}, {.out = arrays_.F32(0, 8), .x = arrays_.F32(0, 8), .weight = {}, .eps = 0});
  backend_->GatherRows(
      {}, {.out = arrays_.F32(0, 8), .x = RandomF32(arrays_, 1, 3, 8), .index = arrays_.I32(1, 0)});
}

// ---- What a wrong graph meets ----

using OpPropertiesDeathTest = OpProperties;

INSTANTIATE_TEST_SUITE_P(Backends, OpPropertiesDeathTest,
                         ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

TEST_P(OpPropertiesDeathTest, ShapesAreChecked) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(backend_->MatMul({}, {.out = arrays_.F32(2, 8),
                                     .x = arrays_.F32(2, 7),
                                     .weight = RandomF32(arrays_, 1, 8, 8),
                                     .bias = {}}),
               "x is f32 \\[2, 7\\] stride 7, expected \\[2, 8\\]");
  EXPECT_DEATH(backend_->Add({}, {.out = arrays_.F32(2, 8), .x = arrays_.I32(2, 8)}),
               "x is i32 .*expected f32");
}

TEST_P(OpPropertiesDeathTest, IndicesAreChecked) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(backend_->Embed({}, {.out = arrays_.F32(1, 8),
                                    .table = RandomF32(arrays_, 1, 5, 8),
                                    .ids = arrays_.I32(1, 1, {5})}),
               "5 vs. 5");
  EXPECT_DEATH(backend_->MlaWriteCache({}, {.cache = arrays_.F32(4, 3),
                                            .latent = arrays_.F32(1, 2),
                                            .k_pe = arrays_.F32(1, 1),
                                            .slots = arrays_.I32(1, 1, {-1})}),
               "-1 vs. 0");
}

}  // namespace
}  // namespace engram
