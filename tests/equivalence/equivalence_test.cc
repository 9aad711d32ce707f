// SPDX-License-Identifier: Apache-2.0
// Optimisations decide when, never what: the same requests with each of them on and off, alone and
// together, in company and alone, get the same tokens, log-probabilities and gates, bit for bit.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/prng.h"
#include "base/strings.h"
#include "engine/runtime/model_runtime.h"
#include "gtest/gtest.h"
#include "tests/equivalence/run_requests.h"
#include "tests/testing/token_maps.h"

namespace engram {
namespace {

using testing_support::Answer;
using testing_support::Bits;
using testing_support::RequestRunner;
using testing_support::TokenMapOf;

constexpr int kMaxModelLen = 128;
constexpr int kBlockSize = 8;
constexpr int kRequests = 16;

// How to run; the defaults are the plainest way there is.
struct Way {
  int max_num_seqs = 1;
  int max_num_batched_tokens = 2 * kMaxModelLen;
  int block_count = 0;  // 0 = plenty
  bool prefix_caching = false;
  EngramPrefetchMode prefetch = EngramPrefetchMode::kAtLayer;
  int threads = 1;
  bool one_by_one = true;
};

struct Outcome {
  std::vector<Answer> answers;
  SchedulerStats stats;
};

// A prompt of `length` tokens that shares its beginning with the others of its family.
std::vector<std::int32_t> Prompt(int family, int number, int length) {
  std::vector<std::int32_t> tokens = {0};
  for (int i = 1; i < length; ++i) {
    const int stream = i < 24 ? family : 100 + number;
    tokens.push_back(5 + static_cast<std::int32_t>(PhiloxUniform(stream, i) * 1900));
  }
  return tokens;
}

// Sixteen that differ in length and in everything that a client can ask for.
std::vector<RequestParams> MixedRequests(bool has_engram) {
  std::vector<RequestParams> requests;
  for (int i = 0; i < kRequests; ++i) {
    RequestParams params;
    params.prompt = Prompt(i % 3, i, 1 + (i * 29) % 50);
    params.max_tokens = 10 + (i * 7) % 30;
    params.seed = 1000 + i;
    params.ignore_eos = true;
    params.sampling.temperature = i % 4 == 0 ? 0.0f : 0.5f + 0.1f * static_cast<float>(i);
    if (params.sampling.temperature > 2) params.sampling.temperature = 2;
    if (i % 3 == 1) params.sampling.top_p = 0.9f;
    if (i % 5 == 2) params.sampling.top_k = 40;
    if (i % 4 == 3) params.sampling.repetition_penalty = 1.3f;
    if (i % 4 == 1) params.sampling.frequency_penalty = 0.4f;
    if (i % 2 == 0) params.sampling.logprobs = i % 5;
    if (i % 6 == 5) params.prompt_logprobs = 2;
    if (i % 7 == 3) params.n = 3;
    if (has_engram && i % 5 == 4) params.engram_enabled = false;
    if (has_engram && i % 4 == 2) params.engram_gates = true;
    requests.push_back(std::move(params));
  }
  return requests;
}

class EquivalenceTest : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  static Outcome RunThe(const Way& way, int rounds) {
    const auto& [name, backend] = GetParam();
    const std::string directory = "tests/testdata/tiny/" + name;
    ModelRuntimeOptions options;
    options.model_directory = directory;
    options.backend = backend;
    options.threads = way.threads;
    options.prefetch = way.prefetch;
    options.prefetch_workers = 2;
    options.scheduler.max_model_len = kMaxModelLen;
    options.scheduler.max_num_seqs = way.max_num_seqs;
    options.scheduler.max_num_batched_tokens = way.max_num_batched_tokens;
    options.scheduler.block_size = kBlockSize;
    options.scheduler.enable_prefix_caching = way.prefix_caching;
    options.kv_cache_bytes = 64 << 20;
    auto runtime = ModelRuntime::Load(options, TokenMapOf(directory), [](std::string_view) {});
    CHECK_MSG(runtime.ok(), Message(runtime.status()));
    const std::unique_ptr<Executor> executor = (*runtime)->TakeExecutor();

    SchedulerOptions scheduler = (*runtime)->scheduler_options();
    if (way.block_count > 0) scheduler.block_count = way.block_count;
    const ModelConfig& config = (*runtime)->config();
    const RequestLimits limits = {.max_model_len = kMaxModelLen,
                                  .vocab_size = config.vocab_size,
                                  .cache_tokens = std::int64_t{scheduler.block_count} * kBlockSize,
                                  .eos_token_ids = config.eos_token_ids,
                                  .has_engram = config.has_engram()};
    RequestRunner runner(scheduler, limits, executor.get());
    const std::vector<RequestParams> requests = MixedRequests(config.has_engram());
    Outcome outcome;
    for (int round = 0; round < rounds; ++round) {
      outcome.answers = way.one_by_one ? runner.RunOneByOne(requests) : runner.Run(requests);
    }
    outcome.stats = runner.stats();
    return outcome;
  }

  // What the plainest way gives; computed once per model and backend.
  static const Outcome& Plain() {
    static std::map<ParamType, Outcome>* const kOutcomes = new std::map<ParamType, Outcome>;
    const auto found = kOutcomes->find(GetParam());
    if (found != kOutcomes->end()) return found->second;
    return (*kOutcomes)[GetParam()] = RunThe(Way{}, 1);
  }

  static void ExpectSameAsPlain(const Outcome& outcome) {
    const Outcome& plain = Plain();
    ASSERT_EQ(outcome.answers.size(), plain.answers.size());
    for (std::size_t i = 0; i < plain.answers.size(); ++i) {
      EXPECT_EQ(Bits(outcome.answers[i]), Bits(plain.answers[i])) << "answer " << i;
    }
  }
};

TEST_P(EquivalenceTest, RequestsAreWhatTheyShouldBe) {
  int tokens = 0;
  for (const Answer& answer : Plain().answers) {
    EXPECT_EQ(answer.finish, FinishReason::kLength);
    tokens += static_cast<int>(answer.tokens.size());
  }
  EXPECT_GT(tokens, 200);
  EXPECT_EQ(Plain().stats.preemptions, 0u);
  EXPECT_EQ(Plain().stats.prefix_hit_tokens, 0u);
}

TEST_P(EquivalenceTest, Batching) {
  ExpectSameAsPlain(RunThe({.max_num_seqs = 24, .one_by_one = false}, 1));
}

TEST_P(EquivalenceTest, ChunkedPrefill) {
  ExpectSameAsPlain(RunThe({.max_num_batched_tokens = 7}, 1));
}

TEST_P(EquivalenceTest, PrefixCache) {
  const Outcome outcome = RunThe({.prefix_caching = true}, 2);
  EXPECT_GT(outcome.stats.prefix_hit_tokens, 100u);
  ExpectSameAsPlain(outcome);
}

TEST_P(EquivalenceTest, Preemption) {
  const Outcome outcome = RunThe({.max_num_seqs = 24, .block_count = 14, .one_by_one = false}, 1);
  EXPECT_GE(outcome.stats.preemptions, 3u);
  ExpectSameAsPlain(outcome);
}

TEST_P(EquivalenceTest, Prefetch) {
  ExpectSameAsPlain(RunThe({.prefetch = EngramPrefetchMode::kAhead}, 1));
}

TEST_P(EquivalenceTest, Threads) { ExpectSameAsPlain(RunThe({.threads = 3}, 1)); }

TEST_P(EquivalenceTest, Everything) {
  const Outcome outcome = RunThe({.max_num_seqs = 24,
                                  .max_num_batched_tokens = 40,
                                  .block_count = 16,
                                  .prefix_caching = true,
                                  .prefetch = EngramPrefetchMode::kAhead,
                                  .threads = 2,
                                  .one_by_one = false},
                                 3);
  EXPECT_GT(outcome.stats.preemptions, 0u);
  EXPECT_GT(outcome.stats.prefix_hit_tokens, 0u);
  ExpectSameAsPlain(outcome);
}

INSTANTIATE_TEST_SUITE_P(
    Models, EquivalenceTest,
    ::testing::Combine(::testing::Values("deepseek_v3", "engram_paper", "engram_demo_profile",
                                         "engram_plain"),
                       ::testing::Values("ref", "cpu")),
    [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

}  // namespace
}  // namespace engram
