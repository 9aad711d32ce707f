// SPDX-License-Identifier: Apache-2.0
// Optimisations decide when, never what: the same requests give the same tokens, log-probabilities
// and gates alone and batched, and with chunked prefill, prefix caching, small budgets and tiny
// caches on or off.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/engine/scheduler/scheduler_harness.h"

namespace engram::testing_support {
namespace {

constexpr int kRequests = 40;

std::vector<RequestParams> MixedRequests(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto draw = [&random](int min, int max) {
    return min + static_cast<int>(random() % static_cast<std::uint64_t>(max - min + 1));
  };
  std::vector<RequestParams> all;
  for (int i = 0; i < kRequests; ++i) {
    RequestParams params = Params(Prompt(draw(1, 50), draw(0, 3)), draw(1, 14));
    if (draw(0, 1) == 0) params.prompt.back() = draw(0, kFakeVocabSize - 1);
    params.ignore_eos = draw(0, 1) == 0;
    params.n = draw(0, 4) == 0 ? 3 : 1;
    params.sampling.temperature = params.n == 1 && draw(0, 1) == 0 ? 0.0f : 1.0f;
    params.seed = random();
    if (draw(0, 4) == 0) params.sampling.logprobs = 2;
    if (draw(0, 6) == 0) params.prompt_logprobs = 1;
    params.engram_gates = draw(0, 6) == 0;
    params.engram_enabled = draw(0, 6) != 0;
    params.priority = draw(-1, 1);
    all.push_back(std::move(params));
  }
  return all;
}

// Everything a client sees of a request, but for the count of cached tokens, as one text.
std::string Seen(const SchedulerHarness& harness, RequestKey key, int n) {
  std::string out;
  const auto append = [&out](const std::vector<TokenResult>& results) {
    for (const TokenResult& result : results) {
      out += std::to_string(result.token);
      if (result.logprob.has_value()) out += " l" + std::to_string(result.logprob->logprob);
      for (const TokenLogprob& top : result.top_logprobs) out += " t" + std::to_string(top.token);
      for (const float gate : result.gates) out += " g" + std::to_string(gate);
      out += '\n';
    }
  };
  for (int choice = 0; choice < n; ++choice) {
    const SchedulerHarness::Choice& result = harness.result(key, choice);
    append(result.prompt->tokens);
    append(result.tokens);
    out += "finish " + std::to_string(static_cast<int>(*result.finish)) + '\n';
  }
  return out;
}

std::vector<std::string> RunTogether(const SchedulerOptions& options,
                                     const std::vector<RequestParams>& requests,
                                     SchedulerStats* stats = nullptr) {
  SchedulerHarness harness(options);
  std::vector<RequestKey> keys;
  for (const RequestParams& params : requests) keys.push_back(harness.Add(params));
  harness.RunUntilIdle();
  std::vector<std::string> seen;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_TRUE(harness.Right(keys[i]));
    seen.push_back(Seen(harness, keys[i], requests[i].n));
  }
  if (stats != nullptr) *stats = harness.scheduler().stats();
  return seen;
}

std::vector<std::string> RunAlone(const std::vector<RequestParams>& requests) {
  SchedulerOptions options = SmallOptions();
  options.max_num_seqs = 1;
  options.max_num_batched_tokens = options.max_model_len;
  options.enable_chunked_prefill = false;
  options.enable_prefix_caching = false;
  std::vector<std::string> seen;
  for (const RequestParams& params : requests) seen.push_back(RunTogether(options, {params})[0]);
  return seen;
}

TEST(SchedulerEquivalence, NobodyCanTellHowARequestWasScheduled) {
  bool preempted = false;
  bool hit = false;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const std::vector<RequestParams> requests = MixedRequests(seed);
    const std::vector<std::string> alone = RunAlone(requests);
    for (const bool chunked : {true, false}) {
      for (const bool caching : {true, false}) {
        for (const int block_count : {16, 32, 400}) {
          for (const int batched_tokens : {8, 64, 1024}) {
            SchedulerOptions options = SmallOptions();
            options.max_num_seqs = 8;
            options.enable_chunked_prefill = chunked;
            options.enable_prefix_caching = caching;
            options.block_count = block_count;
            options.upcoming_tokens_max = batched_tokens / 2;
            options.max_num_batched_tokens =
                chunked ? batched_tokens : std::max(batched_tokens, options.max_model_len);
            SchedulerStats stats;
            EXPECT_EQ(RunTogether(options, requests, &stats), alone)
                << "seed " << seed << (chunked ? " chunked" : "") << (caching ? " cached" : "")
                << ", " << block_count << " blocks, " << batched_tokens << " tokens a step";
            preempted |= stats.preemptions > 0;
            hit |= stats.prefix_hit_tokens > 0;
          }
        }
      }
    }
  }
  EXPECT_TRUE(preempted);
  EXPECT_TRUE(hit);
}

}  // namespace
}  // namespace engram::testing_support
