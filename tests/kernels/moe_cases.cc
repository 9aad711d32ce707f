// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string>

#include "tests/kernels/op_cases.h"

namespace engram::testing_support {
namespace {

std::int64_t Count(const std::vector<int>& rows) { return static_cast<std::int64_t>(rows.size()); }

// Distinct experts for one row, ascending: a random few of them, so that some experts get many rows
// and others none.
std::vector<std::int32_t> RandomExperts(int row, const ExpertsShape& shape) {
  std::vector<std::pair<float, std::int32_t>> order;
  for (int e = 0; e < shape.experts; ++e) {
    order.emplace_back(RandomValue(11, row, e) + 0.3f * static_cast<float>(e % 3), e);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::int32_t> chosen;
  for (int k = 0; k < shape.top_k; ++k) chosen.push_back(order[k].second);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

OpCase MoeRouteCase(const RouteShape& shape) {
  return {.name = "MoeRoute_" + std::to_string(shape.experts) + "_top" +
                  std::to_string(shape.top_k) + "_groups" + std::to_string(shape.n_group) + "_" +
                  std::to_string(shape.topk_group) +
                  (shape.scoring == MoeScoring::kSigmoid ? "_sigmoid" : "_softmax") +
                  (shape.bias ? "_bias" : "") + (shape.normalise ? "_normalised" : ""),
          .tolerance = 1e-6,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const MoeRouteArgs args = {
                .indices = arrays.I32(Count(rows), shape.top_k),
                .weights = arrays.F32(Count(rows), shape.top_k),
                .logits = RandomRows(arrays, 1, rows, shape.experts, 4),
                .bias = shape.bias ? RandomF32(arrays, 2, 1, shape.experts, 0.5f) : Tensor{},
                .scoring = shape.scoring,
                .n_group = shape.n_group,
                .topk_group = shape.topk_group,
                .norm_topk_prob = shape.normalise,
                .scaling = 2.5f};
            return {[=, &arrays] { arrays.backend().MoeRoute({}, args); },
                    [=, &arrays] {
                      return ReadRows(arrays, {args.indices, args.weights});
                    }};
          }};
}

OpCase MoeExpertsCase(const ExpertsShape& shape) {
  const double weights_per_expert = 3.0 * shape.inner * shape.hidden;
  return {.name = "MoeExperts_" + std::to_string(shape.experts) + "_top" +
                  std::to_string(shape.top_k) + "_inner" + std::to_string(shape.inner) + "_hidden" +
                  std::to_string(shape.hidden) + "_" + std::string(DTypeName(shape.dtype)),
          .tolerance = 1e-6 * std::sqrt(static_cast<double>(shape.hidden)) + 3e-6,
          .weight_bytes =
              [=](int rows) {
                std::set<std::int32_t> used;
                for (int row = 0; row < rows; ++row) {
                  for (const std::int32_t e : RandomExperts(row, shape)) used.insert(e);
                }
                return static_cast<double>(used.size()) * weights_per_expert *
                       static_cast<double>(DTypeBytes(shape.dtype));
              },
          .flops_per_row = 2.0 * shape.top_k * weights_per_expert,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            auto experts = std::make_shared<std::vector<ExpertWeights>>();
            const float scale = 2.0f / std::sqrt(static_cast<float>(shape.hidden));
            for (int e = 0; e < shape.experts; ++e) {
              const auto weight = [&](int which, int r, int c) {
                return RandomWeight(arrays, 100 + 3 * e + which, shape.dtype, r, c, scale);
              };
              experts->push_back({.gate = weight(0, shape.inner, shape.hidden),
                                  .up = weight(1, shape.inner, shape.hidden),
                                  .down = weight(2, shape.hidden, shape.inner)});
            }
            std::vector<std::int32_t> indices;
            for (const int row : rows) {
              const std::vector<std::int32_t> chosen = RandomExperts(row, shape);
              indices.insert(indices.end(), chosen.begin(), chosen.end());
            }
            const MoeExpertsArgs args = {
                .out = arrays.F32(Count(rows), shape.hidden),
                .x = RandomRows(arrays, 1, rows, shape.hidden),
                .indices = arrays.I32(Count(rows), shape.top_k, indices),
                .weights = RandomRows(arrays, 2, rows, shape.top_k),
                .experts = *experts,
                .workspace = arrays.F32(Count(rows) * shape.top_k, 2 * shape.inner + shape.hidden)};
            return {[=, &arrays] { arrays.backend().MoeExperts({}, args); },
                    [=, &arrays, kept = experts] { return ReadRows(arrays, {args.out}); }};
          }};
}

}  // namespace engram::testing_support
