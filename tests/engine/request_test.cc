// SPDX-License-Identifier: Apache-2.0
// Request::Create: what it accepts, what it makes of it, and the field it names for what it
// refuses.
#include "engine/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "base/field_error.h"
#include "base/strings.h"
#include "config/limits.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

RequestLimits Limits() {
  return {.max_model_len = 100,
          .vocab_size = 50,
          .cache_tokens = 1000,
          .eos_token_ids = {3, 1, 3},
          .has_engram = true};
}

RequestParams Params() {
  RequestParams params;
  params.prompt = {0, 7, 49};
  params.max_tokens = 10;
  return params;
}

Request Created(RequestParams params, const RequestLimits& limits = Limits()) {
  auto request = Request::Create(std::move(params), limits);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? *std::move(request) : *Request::Create(Params(), Limits());
}

absl::Status StatusOf(RequestParams params, const RequestLimits& limits = Limits()) {
  return Request::Create(std::move(params), limits).status();
}

TEST(RequestTest, KeepsWhatIsValid) {
  RequestParams params = Params();
  params.id = "r1";
  params.min_tokens = 2;
  params.priority = -4;
  params.cache_salt = "salt";
  params.engram_enabled = false;
  params.engram_gates = true;
  params.prompt_logprobs = 5;
  params.deadline = TimePoint(Duration(7));
  const Request request = Created(params);
  EXPECT_EQ(request.id(), "r1");
  EXPECT_THAT(request.prompt(), ElementsAre(0, 7, 49));
  EXPECT_EQ(request.n(), 1);
  EXPECT_EQ(request.max_tokens(), 10);
  EXPECT_EQ(request.min_tokens(), 2);
  EXPECT_EQ(request.priority(), -4);
  EXPECT_EQ(request.cache_salt(), "salt");
  EXPECT_FALSE(request.engram_enabled());
  EXPECT_TRUE(request.engram_gates());
  EXPECT_EQ(request.prompt_logprobs(), 5);
  EXPECT_EQ(request.deadline(), TimePoint(Duration(7)));
}

TEST(RequestTest, AcceptsTheEndsOfEveryRange) {
  RequestParams low = Params();
  low.sampling = {.temperature = 0,
                  .top_k = 0,
                  .top_p = 1e-6f,
                  .min_p = 0,
                  .repetition_penalty = 1e-3f,
                  .presence_penalty = -2,
                  .frequency_penalty = -2,
                  .logit_bias = {},
                  .allowed_token_ids = {},
                  .seed = 0,
                  .logprobs = 0};
  low.priority = -limits::kPriorityMax;
  EXPECT_TRUE(StatusOf(low).ok()) << StatusOf(low);
  RequestParams high = Params();
  high.sampling = {.temperature = 2,
                   .top_k = 49,
                   .top_p = 1,
                   .min_p = 1,
                   .repetition_penalty = 3,
                   .presence_penalty = 2,
                   .frequency_penalty = 2,
                   .logit_bias = {},
                   .allowed_token_ids = {},
                   .seed = 0,
                   .logprobs = limits::kTopLogprobsMax};
  high.n = limits::kChoicesMax;
  high.priority = limits::kPriorityMax;
  EXPECT_TRUE(StatusOf(high).ok()) << StatusOf(high);
}

// ---- Lengths ----

TEST(RequestTest, WithoutMaxTokensAllThatIsLeftIsAllowed) {
  RequestParams params = Params();
  params.max_tokens.reset();
  EXPECT_EQ(Created(params).max_tokens(), 97);
}

TEST(RequestTest, TooMuchTogetherIsCut) {
  RequestParams params = Params();
  params.max_tokens = 100;
  params.min_tokens = 99;
  const Request request = Created(params);
  EXPECT_EQ(request.max_tokens(), 97);
  EXPECT_EQ(request.min_tokens(), 97);
}

TEST(RequestTest, MaxTokensZeroAsksForThePromptAlone) {
  RequestParams params = Params();
  params.max_tokens = 0;
  params.prompt.assign(100, 1);  // needs no room for an answer
  EXPECT_EQ(Created(params).max_tokens(), 0);
  params.prompt.assign(101, 1);
  EXPECT_EQ(ErrorCodeOf(StatusOf(params)), "context_length_exceeded");
}

TEST(RequestTest, APromptThatLeavesNoRoomSaysTheNumbers) {
  RequestParams params = Params();
  params.prompt.assign(100, 1);
  const absl::Status status = StatusOf(params);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(status), "prompt");
  EXPECT_EQ(ErrorCodeOf(status), "context_length_exceeded");
  EXPECT_THAT(Message(status), HasSubstr("maximum context length is 100 tokens, but the prompt has "
                                         "100"));
  params.prompt.assign(99, 1);
  EXPECT_EQ(Created(params).max_tokens(), 1);
}

TEST(RequestTest, WhatNeverFitsIntoTheCacheIsRefused) {
  RequestLimits limits = Limits();
  limits.cache_tokens = 20;
  RequestParams params = Params();
  params.prompt.assign(12, 1);
  params.max_tokens = 9;  // the last one is never read: 12 + 8 = 20
  EXPECT_EQ(Created(params, limits).max_tokens(), 9);
  params.max_tokens = 10;
  EXPECT_EQ(FieldOf(StatusOf(params, limits)), "max_tokens");
  EXPECT_THAT(Message(StatusOf(params, limits)), HasSubstr("cache of 20; ask for at most 9"));
  // Who did not say how many gets what fits.
  params.max_tokens.reset();
  EXPECT_EQ(Created(params, limits).max_tokens(), 9);
  params.prompt.assign(21, 1);
  EXPECT_EQ(FieldOf(StatusOf(params, limits)), "prompt");
  EXPECT_THAT(Message(StatusOf(params, limits)), HasSubstr("cache holds only 20"));
}

// ---- What Create settles ----

TEST(RequestTest, TopKThatCutsNothingOffIsOff) {
  RequestParams params = Params();
  for (const int top_k : {-1, 0, 50, 10'000'000}) {
    params.sampling.top_k = top_k;
    EXPECT_EQ(Created(params).sampling().top_k, 0) << top_k;
  }
  params.sampling.top_k = 49;
  EXPECT_EQ(Created(params).sampling().top_k, 49);
}

TEST(RequestTest, LogitBiasIsSortedMergedAndClamped) {
  RequestParams params = Params();
  params.sampling.logit_bias = {{9, 1.0f}, {2, 1000.0f}, {9, -3.0f}, {4, -1000.0f}};
  EXPECT_THAT(Created(params).sampling().logit_bias,
              ElementsAre(Pair(2, 100.0f), Pair(4, -100.0f), Pair(9, -3.0f)));
}

TEST(RequestTest, IdListsAreSortedAndEachOnce) {
  RequestParams params = Params();
  params.stop_token_ids = {8, 5, 8};
  params.sampling.allowed_token_ids = {6, 2, 6};
  const Request request = Created(params);
  EXPECT_THAT(request.sampling().allowed_token_ids, ElementsAre(2, 6));
  EXPECT_THAT(request.end_token_ids(), ElementsAre(1, 3, 5, 8));
}

TEST(RequestTest, IgnoreEosLeavesTheStopIds) {
  RequestParams params = Params();
  params.ignore_eos = true;
  EXPECT_THAT(Created(params).end_token_ids(), IsEmpty());
  params.stop_token_ids = {8, 1};
  const Request request = Created(params);
  EXPECT_THAT(request.end_token_ids(), ElementsAre(1, 8));
  EXPECT_TRUE(request.IsEos(1));
  EXPECT_TRUE(request.IsEos(3));
  EXPECT_FALSE(request.IsEos(8));
}

TEST(RequestTest, TheClientsSeedIsUsedAndElseOneIsDrawn) {
  RequestParams params = Params();
  params.sampling.seed = 77;  // not the client's
  params.seed = 5;
  EXPECT_EQ(Created(params).sampling().seed, 5u);
  params.seed = 0;
  EXPECT_EQ(Created(params).sampling().seed, 0u);
  params.seed.reset();
  const std::uint64_t first = Created(params).sampling().seed;
  EXPECT_NE(first, 77u);
  EXPECT_NE(first, Created(params).sampling().seed);  // equal once in 2^64 runs
}

// ---- What is refused ----

struct Refusal {
  const char* name;
  std::function<void(RequestParams*)> break_it;
  const char* field;
  const char* message;  // a part of it
};

class RefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, NamesTheField) {
  RequestParams params = Params();
  GetParam().break_it(&params);
  const absl::Status status = StatusOf(params);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(status), GetParam().field);
  EXPECT_THAT(Message(status), HasSubstr(GetParam().message));
}

// A parameter of SamplingParams set to a value outside of its range.
Refusal Sampling(const char* name, float SamplingParams::*field, float value,
                 const char* field_name, const char* message) {
  return {name, [=](RequestParams* params) { params->sampling.*field = value; }, field_name,
          message};
}

const auto kTemperature = &SamplingParams::temperature;
const auto kTopP = &SamplingParams::top_p;
const auto kMinP = &SamplingParams::min_p;
const auto kRepetition = &SamplingParams::repetition_penalty;
const auto kPresence = &SamplingParams::presence_penalty;
const auto kFrequency = &SamplingParams::frequency_penalty;

INSTANTIATE_TEST_SUITE_P(
    Numbers, RefusalTest,
    testing::Values(
        Sampling("TemperatureLow", kTemperature, -0.1f, "temperature",
                 "must be in [0, 2], got -0.1"),
        Sampling("TemperatureHigh", kTemperature, 2.1f, "temperature", "[0, 2], got 2.1"),
        Sampling("TemperatureNan", kTemperature, kNan, "temperature", "got nan"),
        Sampling("TemperatureInf", kTemperature, kInfinity, "temperature", "got inf"),
        Sampling("TopPZero", kTopP, 0, "top_p", "must be in (0, 1], got 0"),
        Sampling("TopPHigh", kTopP, 1.1f, "top_p", "(0, 1], got 1.1"),
        Sampling("TopPNan", kTopP, kNan, "top_p", "got nan"),
        Sampling("MinPLow", kMinP, -0.1f, "min_p", "[0, 1], got -0.1"),
        Sampling("MinPHigh", kMinP, 1.1f, "min_p", "[0, 1], got 1.1"),
        Sampling("RepetitionZero", kRepetition, 0, "repetition_penalty", "above 0, got 0"),
        Sampling("RepetitionNan", kRepetition, kNan, "repetition_penalty", "finite"),
        Sampling("RepetitionInf", kRepetition, kInfinity, "repetition_penalty", "finite"),
        Sampling("PresenceLow", kPresence, -2.1f, "presence_penalty", "[-2, 2], got -2.1"),
        Sampling("PresenceNan", kPresence, kNan, "presence_penalty", "got nan"),
        Sampling("FrequencyHigh", kFrequency, 2.1f, "frequency_penalty", "[-2, 2], got 2.1"),
        Sampling("FrequencyNan", kFrequency, kNan, "frequency_penalty", "got nan"),
        Refusal{"NZero", [](auto* p) { p->n = 0; }, "n", "n must be from 1 to 128, got 0"},
        Refusal{"NTooMany", [](auto* p) { p->n = 129; }, "n", "got 129"},
        Refusal{"NGreedy",
                [](auto* p) {
                  p->n = 2;
                  p->sampling.temperature = 0;
                },
                "n", "n must be 1 with temperature 0"},
        Refusal{"TopK", [](auto* p) { p->sampling.top_k = -2; }, "top_k", "got -2"},
        Refusal{"MaxTokensNegative", [](auto* p) { p->max_tokens = -1; }, "max_tokens", "got -1"},
        Refusal{"MaxTokensOverContext", [](auto* p) { p->max_tokens = 101; }, "max_tokens",
                "max_tokens must be from 0 to 100, got 101"},
        Refusal{"MinTokensNegative", [](auto* p) { p->min_tokens = -1; }, "min_tokens", "got -1"},
        Refusal{"MinTokensOverMax", [](auto* p) { p->min_tokens = 11; }, "min_tokens",
                "from 0 to max_tokens = 10, got 11"},
        Refusal{"Logprobs", [](auto* p) { p->sampling.logprobs = 21; }, "logprobs", "got 21"},
        Refusal{"LogprobsNegative", [](auto* p) { p->sampling.logprobs = -1; }, "logprobs",
                "got -1"},
        Refusal{"PromptLogprobs", [](auto* p) { p->prompt_logprobs = 21; }, "prompt_logprobs",
                "got 21"},
        Refusal{"Priority", [](auto* p) { p->priority = 1'000'001; }, "priority", "got 1000001"}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    IdsAndTexts, RefusalTest,
    testing::Values(
        Refusal{"EmptyPrompt", [](auto* p) { p->prompt.clear(); }, "prompt", "at least one token"},
        Refusal{"PromptIdNegative", [](auto* p) { p->prompt[1] = -1; }, "prompt",
                "token id -1 at place 1; the vocabulary is 0 to 49"},
        Refusal{"PromptIdHigh", [](auto* p) { p->prompt[2] = 50; }, "prompt", "token id 50"},
        Refusal{"StopId", [](auto* p) { p->stop_token_ids = {50}; }, "stop_token_ids", "id 50"},
        Refusal{"StopIds", [](auto* p) { p->stop_token_ids.assign(257, 4); }, "stop_token_ids",
                "has 257 entries; at most 256"},
        Refusal{"AllowedId",
                [](auto* p) {
                  p->sampling.allowed_token_ids = {1, -1};
                },
                "allowed_token_ids", "id -1"},
        Refusal{"BiasId",
                [](auto* p) {
                  p->sampling.logit_bias = {{50, 1.0f}};
                },
                "logit_bias", "token id 50"},
        Refusal{"BiasNan",
                [](auto* p) {
                  p->sampling.logit_bias = {{5, kNan}};
                },
                "logit_bias", "of token 5 must be a finite number, got nan"},
        Refusal{"Biases",
                [](auto* p) {
                  p->sampling.logit_bias.assign(1025, {1, 1.0f});
                },
                "logit_bias", "has 1025 entries"},
        Refusal{"Salt", [](auto* p) { p->cache_salt.assign(257, 'x'); }, "cache_salt", "257 bytes"},
        Refusal{"Id", [](auto* p) { p->id.assign(129, 'x'); }, "request_id", "129 bytes"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(RequestTest, GatesNeedAModelThatHasThem) {
  RequestLimits limits = Limits();
  limits.has_engram = false;
  RequestParams params = Params();
  params.engram_gates = true;
  EXPECT_EQ(FieldOf(StatusOf(params, limits)), "engram.gates");
  params.engram_gates = false;
  params.engram_enabled = false;  // nothing to switch off is no error
  EXPECT_TRUE(StatusOf(params, limits).ok());
}

TEST(RequestTest, LengthsComeBeforeSamplingAndThatBeforeIds) {
  RequestParams params = Params();
  params.max_tokens = 1000;
  params.sampling.temperature = -1;
  params.sampling.logit_bias = {{99, 1.0f}};
  EXPECT_EQ(FieldOf(StatusOf(params)), "max_tokens");
  params.max_tokens = 2;
  EXPECT_EQ(FieldOf(StatusOf(params)), "temperature");
  params.sampling.temperature = 1;
  EXPECT_EQ(FieldOf(StatusOf(params)), "logit_bias");
}

}  // namespace
}  // namespace engram
