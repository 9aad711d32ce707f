// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/op_checks.h"

namespace engram::cpu {
namespace {

// ---- Routing ----

// Rounded to f32 from exact formulas, so that this backend selects on the same bits as the
// reference.
void Scores(float* scores, const float* logits, std::int64_t experts, MoeScoring scoring) {
  if (scoring == MoeScoring::kSigmoid) {
    for (std::int64_t e = 0; e < experts; ++e) {
      scores[e] = static_cast<float>(1.0 / (1.0 + std::exp(-double{logits[e]})));
    }
    return;
  }
  const double highest = *std::max_element(logits, logits + experts);
  double total = 0;
  for (std::int64_t e = 0; e < experts; ++e) total += std::exp(logits[e] - highest);
  for (std::int64_t e = 0; e < experts; ++e) {
    scores[e] = static_cast<float>(std::exp(logits[e] - highest) / total);
  }
}

// Marks the `count` largest of `values` by setting chosen[i]; equal values: the lower index wins.
// Never more or fewer, NaN or not.
void MarkTopK(const float* values, std::int64_t size, std::int64_t count, bool* chosen) {
  std::fill_n(chosen, size, false);
  for (std::int64_t k = 0; k < count; ++k) {
    std::int64_t best = -1;
    for (std::int64_t i = 0; i < size; ++i) {
      if (!chosen[i] && (best < 0 || values[i] > values[best])) best = i;
    }
    chosen[best] = true;
  }
}

float GroupScore(const float* members, std::int64_t size, MoeScoring scoring) {
  float first = members[0];
  float second = -INFINITY;
  for (std::int64_t i = 1; i < size; ++i) {
    if (members[i] > first) {
      second = first;
      first = members[i];
    } else if (members[i] > second) {
      second = members[i];
    }
  }
  return scoring == MoeScoring::kSigmoid && size > 1 ? first + second : first;
}

struct RouteScratch {
  float* scores;        // [experts]
  float* selection;     // [experts]
  float* group_scores;  // [n_group]
  bool* chosen;         // [experts]
};

void RouteRow(const MoeRouteArgs& args, std::int64_t t, const RouteScratch& scratch) {
  const std::int64_t experts = args.logits.cols;
  Scores(scratch.scores, F32Row(args.logits, t), experts, args.scoring);
  const float* bias = args.bias.empty() ? nullptr : args.bias.as<float>();
  for (std::int64_t e = 0; e < experts; ++e) {
    scratch.selection[e] = scratch.scores[e] + (bias != nullptr ? bias[e] : 0.0f);
  }
  if (args.n_group > 1) {
    const std::int64_t size = experts / args.n_group;
    for (int g = 0; g < args.n_group; ++g) {
      scratch.group_scores[g] = GroupScore(scratch.selection + g * size, size, args.scoring);
    }
    MarkTopK(scratch.group_scores, args.n_group, args.topk_group, scratch.chosen);
    for (int g = 0; g < args.n_group; ++g) {
      if (!scratch.chosen[g]) std::fill_n(scratch.selection + g * size, size, -INFINITY);
    }
  }
  MarkTopK(scratch.selection, experts, args.indices.cols, scratch.chosen);
  std::int32_t* indices = I32Row(args.indices, t);
  float* weights = F32Row(args.weights, t);
  double total = 0;
  for (std::int64_t e = 0, k = 0; e < experts; ++e) {
    if (!scratch.chosen[e]) continue;
    indices[k++] = static_cast<std::int32_t>(e);
    total += scratch.scores[e];
  }
  const double divisor = args.norm_topk_prob ? total + 1e-20 : 1.0;
  for (std::int64_t k = 0; k < args.indices.cols; ++k) {
    weights[k] = static_cast<float>(scratch.scores[indices[k]] / divisor * args.scaling);
  }
}

// ---- Experts ----

// The chosen (token, k) pairs, sorted by expert: those of expert e are slots[first[e] …
// first[e+1]). A slot is token · top_k + k, the row of the workspace.
struct Grouping {
  const std::int32_t* first;  // [experts + 1]
  const std::int32_t* slots;  // [T · top_k]
};

Grouping GroupByExpert(Machine& machine, const MoeExpertsArgs& args) {
  const std::int64_t experts = static_cast<std::int64_t>(args.experts.size());
  const std::int64_t top_k = args.indices.cols;
  const std::int64_t slots = args.x.rows * top_k;
  auto* first = machine.lists.Get<std::int32_t>(experts + 2 + slots);
  std::int32_t* sorted = first + experts + 2;
  std::fill_n(first, experts + 2, 0);
  // first[e + 2] counts expert e, then becomes where it begins; filling moves first[e + 1] there.
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    const std::int32_t* row = I32Row(args.indices, slot / top_k);
    const std::int32_t e = row[slot % top_k];
    CHECK(e >= 0 && e < experts);
    CHECK(slot % top_k == 0 || e > row[slot % top_k - 1]);
    ++first[e + 2];
  }
  for (std::int64_t e = 0; e < experts; ++e) first[e + 2] += first[e + 1];
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    sorted[first[I32Row(args.indices, slot / top_k)[slot % top_k] + 1]++] =
        static_cast<std::int32_t>(slot);
  }
  return {first, sorted};
}

}  // namespace

void MoeRoute(Machine& machine, const MoeRouteArgs& args) {
  CheckArgs(args);
  const std::int64_t experts = args.logits.cols;
  machine.pool.ForRanges(
      args.logits.rows, RowGrain(experts * args.indices.cols * 4),
      [&](std::int64_t begin, std::int64_t end, int thread) {
        auto* floats = machine.own[thread].Get<float>(3 * experts + args.n_group);
        const RouteScratch scratch = {
            .scores = floats,
            .selection = floats + experts,
            .group_scores = floats + 2 * experts,
            .chosen = reinterpret_cast<bool*>(floats + 2 * experts + args.n_group)};
        for (std::int64_t t = begin; t < end; ++t) RouteRow(args, t, scratch);
      });
}

// Every thread takes its share of the columns of every expert that is used, so that the threads
// stay equally busy however the tokens fall, and each weight is read once.
void MoeExperts(Machine& machine, const MoeExpertsArgs& args) {
  CheckArgs(args);
  const SimdKernels& simd = *machine.simd;
  const std::int64_t top_k = args.indices.cols;
  const std::int64_t inner = args.experts[0].gate.rows;
  const std::int64_t hidden = args.x.cols;
  const Grouping grouping = GroupByExpert(machine, args);
  const auto for_experts = [&](const auto& body) {  // body(expert, its slots, how many)
    for (std::size_t e = 0; e < args.experts.size(); ++e) {
      const std::int32_t count = grouping.first[e + 1] - grouping.first[e];
      if (count > 0) body(args.experts[e], grouping.slots + grouping.first[e], count);
    }
  };
  const std::int64_t grain = RowGrain(args.x.rows * top_k * hidden / 2);

  machine.pool.ForRanges(inner, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for_experts([&](const ExpertWeights& expert, const std::int32_t* slots, std::int64_t count) {
      const auto x = [&](std::int64_t r) { return F32Row(args.x, slots[r] / top_k); };
      const auto gate = [&](std::int64_t r) { return F32Row(args.workspace, slots[r]); };
      const auto up = [&](std::int64_t r) { return gate(r) + inner; };
      DotRange(*machine.simd, count, x, gate, expert.gate, nullptr, begin, end);
      DotRange(*machine.simd, count, x, up, expert.up, nullptr, begin, end);
      for (std::int64_t r = 0; r < count; ++r) {
        simd.silu_mul(gate(r) + begin, gate(r) + begin, up(r) + begin, end - begin);
      }
    });
  });
  machine.pool.ForRanges(hidden, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for_experts([&](const ExpertWeights& expert, const std::int32_t* slots, std::int64_t count) {
      const auto gate = [&](std::int64_t r) { return F32Row(args.workspace, slots[r]); };
      const auto down = [&](std::int64_t r) { return gate(r) + 2 * inner; };
      DotRange(*machine.simd, count, gate, down, expert.down, nullptr, begin, end);
    });
    for (std::int64_t t = 0; t < args.x.rows; ++t) {
      simd.weighted_sum(
          F32Row(args.out, t) + begin, F32Row(args.workspace, t * top_k) + 2 * inner + begin,
          args.workspace.stride, F32Row(args.weights, t), static_cast<int>(top_k), end - begin);
    }
  });
}

}  // namespace engram::cpu
