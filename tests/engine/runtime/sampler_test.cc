// SPDX-License-Identifier: Apache-2.0
// The sampler against a second implementation that follows the definitions word by word, in
// float64, sorting everything; and against numbers worked out by hand.
#include "engine/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "base/prng.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

// A request's side of a row, with its own storage.
struct Case {
  SamplingParams params;
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> output;
  std::vector<std::int32_t> masked;
  std::uint64_t seed = 0;
  std::int64_t position = 0;

  SampleRow Row() const {
    SampleRow row;
    row.params = &params;
    row.seed = seed;
    row.position = position;
    row.prompt_tokens = prompt;
    row.output_tokens = output;
    row.masked_tokens = masked;
    return row;
  }
};

std::int32_t SampleToken(const Case& c, const std::vector<float>& logits) {
  return Sampler(static_cast<int>(logits.size())).Sample(c.Row(), logits).token;
}

Case Greedy() {
  Case c;
  c.params.temperature = 0;
  return c;
}

std::vector<double> AdjustedByDefinition(const Case& c, const std::vector<float>& logits) {
  const SamplingParams& params = c.params;
  std::vector<double> out(logits.begin(), logits.end());
  const std::set<std::int32_t> allowed(params.allowed_token_ids.begin(),
                                       params.allowed_token_ids.end());
  const std::set<std::int32_t> masked(c.masked.begin(), c.masked.end());
  std::set<std::int32_t> seen(c.prompt.begin(), c.prompt.end());
  seen.insert(c.output.begin(), c.output.end());
  std::map<std::int32_t, int> counts;
  for (const std::int32_t token : c.output) ++counts[token];
  for (std::int32_t token = 0; token < static_cast<std::int32_t>(out.size()); ++token) {
    double& logit = out[token];
    if (masked.contains(token) || (!allowed.empty() && !allowed.contains(token))) {
      logit = -std::numeric_limits<double>::infinity();
    }
    for (const auto& [biased, bias] : params.logit_bias) logit += biased == token ? bias : 0;
    if (seen.contains(token)) {
      logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    }
    if (counts.contains(token)) {
      logit -= static_cast<double>(params.frequency_penalty) * counts[token];
      logit -= params.presence_penalty;
    }
  }
  return out;
}

std::vector<double> SoftmaxOf(const std::vector<double>& logits) {
  const double best = *std::ranges::max_element(logits);
  std::vector<double> out;
  for (const double logit : logits) out.push_back(std::exp(logit - best));
  const double total = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& p : out) p /= total;
  return out;
}

// Probabilities that the draw must have. REQUIRES: temperature > 0.
std::vector<double> DistributionByDefinition(const Case& c, const std::vector<float>& logits) {
  constexpr double kOut = -std::numeric_limits<double>::infinity();
  std::vector<double> scaled = AdjustedByDefinition(c, logits);
  for (double& logit : scaled) logit /= c.params.temperature;
  std::vector<double> p = SoftmaxOf(scaled);
  const double largest = *std::ranges::max_element(p);
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] < c.params.min_p * largest) scaled[i] = kOut;
  }
  std::vector<int> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int a, int b) { return scaled[a] > scaled[b]; });
  for (std::size_t i = 0; c.params.top_k > 0 && i < order.size(); ++i) {
    if (static_cast<int>(i) >= c.params.top_k) scaled[order[i]] = kOut;
  }
  p = SoftmaxOf(scaled);
  double before = 0;
  for (const int token : order) {
    if (before >= c.params.top_p) scaled[token] = kOut;
    before += p[token];
  }
  return SoftmaxOf(scaled);
}

std::vector<float> RandomLogits(std::uint64_t seed, int vocab) {
  std::vector<float> logits;
  for (int i = 0; i < vocab; ++i) {
    logits.push_back(static_cast<float>(PhiloxUniform(seed, i, 7) * 12 - 6));
  }
  return logits;
}

// A case with every feature on or off by chance.
Case RandomCase(std::uint64_t seed, int vocab) {
  std::uint64_t draws = 0;
  const auto uniform = [&] { return PhiloxUniform(seed, draws++, 8); };
  const auto token = [&] { return static_cast<std::int32_t>(uniform() * vocab); };
  const auto sometimes = [&] { return uniform() < 0.4; };
  Case c;
  c.seed = seed;
  c.position = static_cast<std::int64_t>(uniform() * 1000);
  c.params.temperature = static_cast<float>(0.1 + uniform() * 1.9);
  if (sometimes()) c.params.top_k = 1 + static_cast<int>(uniform() * vocab);
  if (sometimes()) c.params.top_p = static_cast<float>(0.05 + 0.9 * uniform());
  if (sometimes()) c.params.min_p = static_cast<float>(uniform() * 0.3);
  if (sometimes()) c.params.repetition_penalty = static_cast<float>(0.5 + 1.5 * uniform());
  if (sometimes()) c.params.presence_penalty = static_cast<float>(4 * uniform() - 2);
  if (sometimes()) c.params.frequency_penalty = static_cast<float>(4 * uniform() - 2);
  for (int i = 0; i < 10; ++i) {
    c.prompt.push_back(token());
    c.output.push_back(i % 3 == 0 ? c.prompt.front() : token());
  }
  if (sometimes()) c.params.logit_bias = {{token(), 3.0f}};
  if (sometimes()) c.masked = {token(), token()};
  if (sometimes()) {
    std::set<std::int32_t> allowed;
    while (allowed.size() < 8) allowed.insert(token());
    c.params.allowed_token_ids.assign(allowed.begin(), allowed.end());
  }
  return c;
}

TEST(SamplerTest, DrawsTheTokenThatTheDefinitionsGive) {
  int close_calls = 0;
  constexpr int kCases = 4000;
  for (std::uint64_t seed = 0; seed < kCases; ++seed) {
    const int vocab = 40 + static_cast<int>(seed % 7) * 100;
    const std::vector<float> logits = RandomLogits(seed, vocab);
    const Case c = RandomCase(seed, vocab);
    const std::vector<double> p = DistributionByDefinition(c, logits);
    const double u = PhiloxUniform(c.seed, c.position);
    const std::int32_t token = SampleToken(c, logits);
    const double before = std::accumulate(p.begin(), p.begin() + token, 0.0);
    // Within float32's rounding of the token's own part of [0, 1).
    EXPECT_GE(u, before - 1e-5) << "case " << seed;
    EXPECT_LE(u, before + p[token] + 1e-5) << "case " << seed;
    close_calls += u < before || u > before + p[token];
  }
  EXPECT_LE(close_calls, kCases / 100);
}

TEST(SamplerTest, GreedyIsTheFirstOfTheLargest) {
  EXPECT_EQ(SampleToken(Greedy(), {1, 5, 3, 5, -2, 0, 5, 1, 2, 5}), 1);
  std::vector<float> tail(19, -1.0f);  // not a multiple of the vector width
  tail[18] = 2;
  EXPECT_EQ(SampleToken(Greedy(), tail), 18);
}

TEST(SamplerTest, GreedyFollowsTheDefinitions) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const std::vector<float> logits = RandomLogits(seed, 60);
    Case c = RandomCase(seed, 60);
    c.params.temperature = 0;
    const std::vector<double> adjusted = AdjustedByDefinition(c, logits);
    EXPECT_NEAR(adjusted[SampleToken(c, logits)], *std::ranges::max_element(adjusted), 1e-5);
  }
}

TEST(SamplerTest, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  Case c = Greedy();
  c.params.repetition_penalty = 2;
  c.prompt = {0};
  c.output = {2, 2, 2};                           // once, however often
  EXPECT_EQ(SampleToken(c, {8, 3.9f, 0, 0}), 0);  // 4 against 3.9
  EXPECT_EQ(SampleToken(c, {8, 4.1f, 0, 0}), 1);
  EXPECT_EQ(SampleToken(c, {-9, -4, -2.1f, -9}), 1);  // −4 against −4.2
  EXPECT_EQ(SampleToken(c, {-9, -4, -1.9f, -9}), 2);  // −4 against −3.8
}

TEST(SamplerTest, FrequencyCountsAndPresenceDoesNotAndBothLookAtTheOutputOnly) {
  Case c = Greedy();
  c.params.frequency_penalty = 0.5f;
  c.params.presence_penalty = 0.25f;
  c.prompt = {1, 1, 1, 1, 1, 1};
  c.output = {0, 0, 0};
  EXPECT_EQ(SampleToken(c, {5, 3.2f}), 0);  // 5 − 3 · 0.5 − 0.25 = 3.25
  EXPECT_EQ(SampleToken(c, {5, 3.3f}), 1);
}

TEST(SamplerTest, PenaltiesComeInTheStatedOrder) {
  Case c = Greedy();
  c.params.repetition_penalty = 2;
  c.params.presence_penalty = 1;
  c.output = {0};
  // 4 / 2 − 1 = 1, not (4 − 1) / 2 = 1.5.
  EXPECT_EQ(SampleToken(c, {4, 1.2f}), 1);
  // The bias comes before the penalties: (1 + 3) / 2 − 1 = 1, not 1 / 2 − 1 + 3.
  c.params.logit_bias = {{0, 3.0f}};
  EXPECT_EQ(SampleToken(c, {1, 1.2f}), 1);
}

TEST(SamplerTest, MaskedTokensAreNotPickedHoweverBiased) {
  Case c = Greedy();
  c.masked = {1};
  c.params.logit_bias = {{1, 100.0f}};
  EXPECT_EQ(SampleToken(c, {1, 2, 0}), 0);
}

TEST(SamplerTest, MaskThatLeavesNothingIsDropped) {
  Case c = Greedy();
  c.params.allowed_token_ids = {1};
  c.masked = {1};
  EXPECT_EQ(SampleToken(c, {5, 2, 7}), 1);
}

TEST(SamplerTest, TopKKeepsExactlyKOfEquals) {
  Case c;
  c.params.top_k = 2;
  std::set<std::int32_t> drawn;
  for (c.position = 0; c.position < 200; ++c.position) drawn.insert(SampleToken(c, {1, 1, 1, 1}));
  EXPECT_EQ(drawn, (std::set<std::int32_t>{0, 1}));
}

TEST(SamplerTest, TopPKeepsAtLeastTheBest) {
  Case c;
  c.params.top_p = 1e-6f;
  for (c.position = 0; c.position < 100; ++c.position) EXPECT_EQ(SampleToken(c, {1, 2, 1}), 1);
}

TEST(SamplerTest, SmallestTemperatureIsGreedyAndNotNaN) {
  Case c;
  c.params.temperature = std::numeric_limits<float>::denorm_min();
  for (c.position = 0; c.position < 100; ++c.position) EXPECT_EQ(SampleToken(c, {1, 2, 1.9f}), 1);
}

// Pearson's chi-square of 20,000 draws against the distribution: 7 degrees of freedom, 0.1 % point.
TEST(SamplerTest, DrawsHaveTheDistribution) {
  const std::vector<float> logits = {0, 1, -1, 0.5f, 2, -0.5f, 1.5f, 0.25f};
  Case c;
  c.params.temperature = 0.8f;
  c.seed = 12345;
  const std::vector<double> p = DistributionByDefinition(c, logits);
  constexpr int kDraws = 20000;
  std::vector<int> drawn(logits.size());
  Sampler sampler(static_cast<int>(logits.size()));
  for (c.position = 0; c.position < kDraws; ++c.position) {
    ++drawn[sampler.Sample(c.Row(), logits).token];
  }
  double chi_square = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    chi_square += std::pow(drawn[i] - kDraws * p[i], 2) / (kDraws * p[i]);
  }
  EXPECT_LT(chi_square, 24.32);
}

TEST(SamplerTest, DrawIsAFunctionOfSeedAndPositionAlone) {
  const std::vector<float> logits = RandomLogits(1, 500);
  std::vector<std::int32_t> alone;
  Case c;
  for (c.position = 0; c.position < 50; ++c.position) alone.push_back(SampleToken(c, logits));
  Sampler shared(500);
  for (int i = 0; i < 50; ++i) {
    // Another request's row with penalties in between must leave no trace.
    shared.Sample(RandomCase(i, 500).Row(), RandomLogits(i, 500));
    c.position = i;
    EXPECT_EQ(shared.Sample(c.Row(), logits).token, alone[i]);
  }
  EXPECT_GT(std::set<std::int32_t>(alone.begin(), alone.end()).size(), 20u);
  std::vector<std::int32_t> other_seed;
  c.seed = 1;
  for (c.position = 0; c.position < 50; ++c.position) other_seed.push_back(SampleToken(c, logits));
  EXPECT_NE(alone, other_seed);
}

TEST(SamplerTest, LogprobsAreOfTheRawLogitsWithRanks) {
  const std::vector<float> logits = {1, 3, 2, 3, 0};
  const double log_sum =
      std::log(std::exp(1.0) + 2 * std::exp(3.0) + std::exp(2.0) + std::exp(0.0));
  Case c = Greedy();
  c.params.logit_bias = {{3, 50.0f}};
  c.params.logprobs = 4;
  const TokenResult result = Sampler(5).Sample(c.Row(), logits);
  EXPECT_EQ(result.token, 3);
  ASSERT_TRUE(result.logprob.has_value());
  EXPECT_EQ(result.logprob->token, 3);
  EXPECT_NEAR(result.logprob->logprob, 3 - log_sum, 1e-6);
  EXPECT_EQ(result.logprob->rank, 2);  // token 1 is as likely and has the lower id
  ASSERT_EQ(result.top_logprobs.size(), 4u);
  const std::vector<std::int32_t> best = {1, 3, 2, 0};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(result.top_logprobs[i].token, best[i]);
    EXPECT_EQ(result.top_logprobs[i].rank, i + 1);
    EXPECT_NEAR(result.top_logprobs[i].logprob, logits[best[i]] - log_sum, 1e-6);
  }
}

TEST(SamplerTest, LogprobsOfNoneAndOfMoreThanThereAre) {
  Case c = Greedy();
  EXPECT_FALSE(Sampler(3).Sample(c.Row(), std::vector<float>{1, 2, 3}).logprob.has_value());
  c.params.logprobs = 0;
  const TokenResult only_own = Sampler(3).Sample(c.Row(), std::vector<float>{1, 2, 3});
  EXPECT_TRUE(only_own.logprob.has_value());
  EXPECT_TRUE(only_own.top_logprobs.empty());
  TokenResult result;
  FillLogprobs(std::vector<float>{1, 2, 3}, 0, 20, &result);
  EXPECT_EQ(result.top_logprobs.size(), 3u);
  EXPECT_EQ(result.logprob->rank, 3);
}

TEST(SamplerTest, LogprobsOfManyTokensAgreeWithASort) {
  const std::vector<float> logits = RandomLogits(3, 5000);
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int a, int b) { return logits[a] > logits[b]; });
  TokenResult result;
  FillLogprobs(logits, order[77], 20, &result);
  EXPECT_EQ(result.logprob->rank, 78);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(result.top_logprobs[i].token, order[i]);
}

TEST(SamplerDeathTest, LogitsThatAreNotNumbersEndTheProcess) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_DEATH(SampleToken(Greedy(), {nan, nan, nan}), "not finite");
}

}  // namespace
}  // namespace engram
