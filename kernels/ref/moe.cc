// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/op_checks.h"
#include "kernels/ref/ref_ops.h"
#include "kernels/ref/scalar.h"

namespace engram::ref {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

// Scores are rounded to f32 before anything is selected: that is what the models were trained with,
// and two backends that round alike choose alike.
std::vector<float> Scores(const float* logits, std::int64_t experts, MoeScoring scoring) {
  std::vector<float> scores(experts);
  if (scoring == MoeScoring::kSigmoid) {
    for (std::int64_t e = 0; e < experts; ++e) scores[e] = static_cast<float>(Sigmoid(logits[e]));
    return scores;
  }
  const double highest = *std::max_element(logits, logits + experts);
  double total = 0;
  for (std::int64_t e = 0; e < experts; ++e) total += std::exp(logits[e] - highest);
  for (std::int64_t e = 0; e < experts; ++e) {
    scores[e] = static_cast<float>(std::exp(logits[e] - highest) / total);
  }
  return scores;
}

// Indices of the `count` largest values, ascending. Equal values: the lower index wins.
std::vector<std::int32_t> TopK(const std::vector<float>& values, std::int64_t count) {
  std::vector<std::int32_t> chosen;
  while (static_cast<std::int64_t>(chosen.size()) < count) {
    std::int32_t best = -1;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(values.size()); ++i) {
      if (std::find(chosen.begin(), chosen.end(), i) != chosen.end()) continue;
      if (best < 0 || values[i] > values[best]) best = i;
    }
    chosen.push_back(best);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

// Masks the experts outside the topk_group best groups.
void KeepBestGroups(std::vector<float>& selection, const MoeRouteArgs& args) {
  const std::int64_t group_size = static_cast<std::int64_t>(selection.size()) / args.n_group;
  const std::int64_t counted =
      args.scoring == MoeScoring::kSigmoid ? std::min<std::int64_t>(2, group_size) : 1;
  std::vector<float> group_scores(args.n_group);
  for (int g = 0; g < args.n_group; ++g) {
    const std::vector<float> members(selection.begin() + g * group_size,
                                     selection.begin() + (g + 1) * group_size);
    for (const std::int32_t i : TopK(members, counted)) group_scores[g] += members[i];
  }
  const std::vector<std::int32_t> kept = TopK(group_scores, args.topk_group);
  for (int g = 0; g < args.n_group; ++g) {
    if (std::binary_search(kept.begin(), kept.end(), g)) continue;
    std::fill_n(selection.begin() + g * group_size, group_size, kMasked);
  }
}

}  // namespace

void MoeRoute(const MoeRouteArgs& args) {
  CheckArgs(args);
  const std::int64_t experts = args.logits.cols;
  for (std::int64_t t = 0; t < args.logits.rows; ++t) {
    const std::vector<float> scores = Scores(F32Row(args.logits, t), experts, args.scoring);
    std::vector<float> selection = scores;
    if (!args.bias.empty()) {
      for (std::int64_t e = 0; e < experts; ++e) selection[e] += args.bias.as<float>()[e];
    }
    if (args.n_group > 1) KeepBestGroups(selection, args);
    const std::vector<std::int32_t> chosen = TopK(selection, args.indices.cols);
    double total = 0;
    for (const std::int32_t e : chosen) total += scores[e];
    const double divisor = args.norm_topk_prob ? total + 1e-20 : 1.0;
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      I32Row(args.indices, t)[k] = chosen[k];
      F32Row(args.weights, t)[k] = static_cast<float>(scores[chosen[k]] / divisor * args.scaling);
    }
  }
}

void MoeExperts(const MoeExpertsArgs& args) {
  CheckArgs(args);
  const std::int64_t top_k = args.indices.cols;
  const std::int64_t inner = args.experts[0].gate.rows;
  const std::int64_t hidden = args.x.cols;
  for (std::int64_t t = 0; t < args.x.rows; ++t) {
    std::vector<double> sum(hidden);
    const Tensor x = args.x.Rows(t, 1);
    for (std::int64_t k = 0; k < top_k; ++k) {
      const std::int32_t id = I32Row(args.indices, t)[k];
      CHECK(id >= 0 && static_cast<std::size_t>(id) < args.experts.size());
      CHECK(k == 0 || id > I32Row(args.indices, t)[k - 1]);
      const ExpertWeights& expert = args.experts[id];
      const Tensor slot = args.workspace.Rows(t * top_k + k, 1);
      const Tensor gate = slot.Cols(0, inner);
      const Tensor up = slot.Cols(inner, inner);
      const Tensor down = slot.Cols(2 * inner, hidden);
      MatMul({.out = gate, .x = x, .weight = expert.gate, .bias = {}});
      MatMul({.out = up, .x = x, .weight = expert.up, .bias = {}});
      SiluMul({.out = gate, .gate = gate, .up = up});
      MatMul({.out = down, .x = gate, .weight = expert.down, .bias = {}});
      const double weight = F32Row(args.weights, t)[k];
      for (std::int64_t d = 0; d < hidden; ++d) sum[d] += weight * F32Row(down, 0)[d];
    }
    std::copy(sum.begin(), sum.end(), F32Row(args.out, t));
  }
}

}  // namespace engram::ref
