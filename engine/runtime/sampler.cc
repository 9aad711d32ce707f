// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "base/check.h"
#include "base/prng.h"

namespace engram {
namespace {

constexpr float kOut = -std::numeric_limits<float>::infinity();

// kOut if all are out (or NaN). Eight running maxima, so that they stay in vector registers.
float MaxLogit(std::span<const float> logits) {
  constexpr std::size_t kLanes = 8;
  float best[kLanes];
  std::fill(best, best + kLanes, kOut);
  std::size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = logits[i + lane];
      best[lane] = value > best[lane] ? value : best[lane];
    }
  }
  for (; i < logits.size(); ++i) best[0] = logits[i] > best[0] ? logits[i] : best[0];
  return *std::max_element(best, best + kLanes);
}

// Below the best token by this much a weight is 0 in float: e⁻¹⁰⁴.
constexpr float kNatsMax = 104;
constexpr float kBinsPerNat = 16;
constexpr std::size_t kBins = static_cast<std::size_t>(kNatsMax * kBinsPerNat);

double SumInOrder(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += value;
  return sum;
}

// The row's largest logit. A model that gives none is broken, and any token would be a wrong one.
float CheckedMaxLogit(std::span<const float> logits) {
  const float best = MaxLogit(logits);
  CHECK_MSG(std::isfinite(best), "the model's logits are not finite: damaged weights?");
  return best;
}

bool IsNoOp(const SampleRow& row) {
  const SamplingParams& params = *row.params;
  return row.masked_tokens.empty() && params.allowed_token_ids.empty() &&
         params.logit_bias.empty() && params.repetition_penalty == 1.0f &&
         params.frequency_penalty == 0.0f && params.presence_penalty == 0.0f;
}

// Best first.
bool LogprobRanksBefore(const TokenLogprob& a, const TokenLogprob& b) {
  return a.logprob != b.logprob ? a.logprob > b.logprob : a.token < b.token;
}

// The `count` largest logits, best first, the lower id first among equals; `logprob` is the logit.
std::vector<TokenLogprob> LargestLogits(std::span<const float> logits, std::size_t count) {
  std::vector<TokenLogprob> heap;  // its front is the worst that is in
  heap.reserve(count);
  if (count == 0) return heap;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // Ids ascend, so that an equal logit never displaces one that is in.
    if (heap.size() == count) {
      if (logits[i] <= heap.front().logprob) continue;
      std::pop_heap(heap.begin(), heap.end(), LogprobRanksBefore);
      heap.pop_back();
    }
    heap.push_back({.token = static_cast<std::int32_t>(i), .logprob = logits[i]});
    std::push_heap(heap.begin(), heap.end(), LogprobRanksBefore);
  }
  std::sort_heap(heap.begin(), heap.end(), LogprobRanksBefore);
  return heap;
}

}  // namespace

Sampler::Sampler(int vocab_size) : vocab_size_(vocab_size) {
  CHECK_GT(vocab_size, 0);
  adjusted_.resize(vocab_size);
  counts_.resize(vocab_size);
  weights_.resize(vocab_size);
  on_edge_.reserve(vocab_size);
}

TokenResult Sampler::Sample(const SampleRow& row, std::span<const float> logits) {
  CHECK_EQ(logits.size(), static_cast<std::size_t>(vocab_size_));
  const SamplingParams& params = *row.params;
  const std::span<const float> adjusted = IsNoOp(row) ? logits : Adjust(row, logits);
  const float best = CheckedMaxLogit(adjusted);
  TokenResult result;
  result.token =
      params.temperature == 0.0f
          ? static_cast<std::int32_t>(std::ranges::find(adjusted, best) - adjusted.begin())
          : PickRandom(row, adjusted, best);
  if (params.logprobs) FillLogprobs(logits, result.token, *params.logprobs, &result);
  return result;
}

std::span<const float> Sampler::Adjust(const SampleRow& row, std::span<const float> logits) {
  Mask(*row.params, row.masked_tokens, logits);
  if (MaxLogit(adjusted_) == kOut) Mask(*row.params, {}, logits);
  for (const auto& [token, bias] : row.params->logit_bias) adjusted_[token] += bias;
  Penalise(row);
  return adjusted_;
}

void Sampler::Mask(const SamplingParams& params, std::span<const std::int32_t> masked,
                   std::span<const float> logits) {
  if (params.allowed_token_ids.empty()) {
    std::ranges::copy(logits, adjusted_.begin());
  } else {
    std::ranges::fill(adjusted_, kOut);
    for (const std::int32_t token : params.allowed_token_ids) adjusted_[token] = logits[token];
  }
  for (const std::int32_t token : masked) adjusted_[token] = kOut;
}

void Sampler::Penalise(const SampleRow& row) {
  const SamplingParams& params = *row.params;
  if (params.repetition_penalty != 1.0f) {
    for (const auto tokens : {row.prompt_tokens, row.output_tokens}) {
      for (const std::int32_t token : tokens) {
        if (counts_[token]++ > 0) continue;
        float& logit = adjusted_[token];
        logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
      }
    }
    for (const std::int32_t token : row.prompt_tokens) counts_[token] = 0;
    for (const std::int32_t token : row.output_tokens) counts_[token] = 0;
  }
  if (params.frequency_penalty == 0.0f && params.presence_penalty == 0.0f) return;
  for (const std::int32_t token : row.output_tokens) ++counts_[token];
  for (const std::int32_t token : row.output_tokens) {
    if (counts_[token] == 0) continue;  // done at an earlier place
    adjusted_[token] -= params.frequency_penalty * static_cast<float>(counts_[token]);
    adjusted_[token] -= params.presence_penalty;
    counts_[token] = 0;
  }
}

std::int32_t Sampler::PickRandom(const SampleRow& row, std::span<const float> logits, float best) {
  const SamplingParams& params = *row.params;
  // A finite inverse, so that the best one's weight is exp(0) = 1 at any temperature.
  const float inverse_temperature = 1.0f / std::max(params.temperature, 1e-30f);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float weight = std::exp((logits[i] - best) * inverse_temperature);
    weights_[i] = weight < params.min_p ? 0.0f : weight;
  }
  if (params.top_k > 0 && params.top_k < vocab_size_) {
    KeepBest(logits, best, inverse_temperature, Measure::kCount, params.top_k);
  }
  if (params.top_p < 1.0f) {
    const double limit = params.top_p * SumInOrder(weights_);
    KeepBest(logits, best, inverse_temperature, Measure::kWeight, limit);
  }

  const double target =
      PhiloxUniform(row.seed, static_cast<std::uint64_t>(row.position)) * SumInOrder(weights_);
  double passed = 0;
  std::int32_t last = 0;
  for (std::int32_t token = 0; token < vocab_size_; ++token) {
    if (weights_[token] == 0.0f) continue;
    passed += weights_[token];
    if (passed > target) return token;
    last = token;
  }
  return last;  // rounding: `target` should have been less than all of `passed`
}

// Goes through the tokens from the best one on and puts out those before which `limit` (in tokens
// or in weight) has been passed. Sorts only where it must: tokens fall into bins by how far below
// the best they are, whole bins stay or go, and the one bin that holds the edge is sorted.
void Sampler::KeepBest(std::span<const float> logits, float best, float inverse_temperature,
                       Measure measure, double limit) {
  const auto bin_of = [&](std::size_t i) {
    const float nats = (best - logits[i]) * inverse_temperature;
    return static_cast<std::size_t>(std::min(nats * kBinsPerNat, kBins - 1.0f));
  };
  const auto size_of = [&](std::size_t i) {
    return measure == Measure::kCount ? 1.0 : weights_[i];
  };
  bins_.assign(kBins, 0.0);
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] > 0) bins_[bin_of(i)] += size_of(i);
  }
  double passed = 0;
  std::size_t edge = 0;
  while (edge < kBins && passed + bins_[edge] < limit) passed += bins_[edge++];

  on_edge_.clear();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] == 0.0f || bin_of(i) < edge) continue;
    if (bin_of(i) == edge) {
      on_edge_.push_back(static_cast<std::int32_t>(i));
    } else {
      weights_[i] = 0;
    }
  }
  std::ranges::sort(on_edge_, [&](std::int32_t a, std::int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  for (const std::int32_t token : on_edge_) {
    const double size = size_of(token);
    if (passed >= limit) weights_[token] = 0;
    passed += size;
  }
}

void FillLogprobs(std::span<const float> logits, std::int32_t token, int top, TokenResult* result) {
  CHECK(token >= 0 && static_cast<std::size_t>(token) < logits.size());
  const float best = CheckedMaxLogit(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - best);
  const double log_sum = best + std::log(sum);
  const auto logprob = [&](float logit) { return static_cast<float>(logit - log_sum); };

  int rank = 1;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const bool lower_id = i < static_cast<std::size_t>(token);
    rank += logits[i] > logits[token] || (lower_id && logits[i] == logits[token]);
  }
  result->logprob = TokenLogprob{.token = token, .logprob = logprob(logits[token]), .rank = rank};
  result->top_logprobs = LargestLogits(logits, std::min<std::size_t>(top, logits.size()));
  for (std::size_t i = 0; i < result->top_logprobs.size(); ++i) {
    TokenLogprob& entry = result->top_logprobs[i];
    entry.logprob = logprob(entry.logprob);
    entry.rank = static_cast<int>(i) + 1;
  }
}

}  // namespace engram
