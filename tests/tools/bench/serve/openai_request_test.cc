// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/openai_request.h"

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

using Json = nlohmann::json;

Options AllSampling() {
  Options options;
  SamplingOptions& s = options.sampling;
  s.temperature = 0.5;
  s.top_p = 0.25;
  s.top_k = 7;
  s.min_p = 0.125;
  s.frequency_penalty = 1;
  s.presence_penalty = -1;
  s.repetition_penalty = 1.5;
  s.logprobs = 2;
  s.ignore_eos = true;
  return options;
}

TEST(OpenAiRequestTest, ACompletionOfIds) {
  RequestSpec request;
  request.token_ids = {1, 2};
  request.output_tokens = 9;
  const Json body = Json::parse(OpenAiBody(request, AllSampling(), "m"));
  EXPECT_EQ(body, Json::parse(R"({"model":"m","prompt":[1,2],"max_tokens":9,"stream":true,
      "stream_options":{"include_usage":true},"return_token_ids":true,"ignore_eos":true,
      "temperature":0.5,"top_p":0.25,"top_k":7,"min_p":0.125,"frequency_penalty":1.0,
      "presence_penalty":-1.0,"repetition_penalty":1.5,"logprobs":2})"));
}

TEST(OpenAiRequestTest, AChat) {
  Options options = AllSampling();
  options.target.backend = "openai-chat";
  RequestSpec request;
  request.messages = {{.role = "user", .content = "hi"}};
  request.output_tokens = 9;
  const Json body = Json::parse(OpenAiBody(request, options, "m"));
  EXPECT_EQ(body["messages"], Json::parse(R"([{"role":"user","content":"hi"}])"));
  EXPECT_EQ(body["max_completion_tokens"], 9);
  EXPECT_EQ(body["logprobs"], true);
  EXPECT_EQ(body["top_logprobs"], 2);
  EXPECT_FALSE(body.contains("prompt"));
  EXPECT_FALSE(body.contains("max_tokens"));
}

TEST(OpenAiRequestTest, WhatWasNotGivenIsNotSent) {
  RequestSpec request;
  request.prompt = "hi";
  request.output_tokens = 1;
  Options options;
  options.target.token_ids = false;
  EXPECT_EQ(Json::parse(OpenAiBody(request, options, "m")),
            Json::parse(R"({"model":"m","prompt":"hi","max_tokens":1,"stream":true,
                            "stream_options":{"include_usage":true}})"));
}

TEST(OpenAiRequestTest, TheExtraBodyWins) {
  RequestSpec request;
  request.prompt = "hi";
  Options options;
  options.sampling.extra_body = {{"engram", {{"enabled", false}}}, {"stream", false}};
  const Json body = Json::parse(OpenAiBody(request, options, "m"));
  EXPECT_EQ(body["engram"]["enabled"], false);
  EXPECT_EQ(body["stream"], false);
}

TEST(OpenAiRequestTest, BytesThatAreNoUtf8AreReplaced) {
  RequestSpec request;
  request.prompt = "a\xff";
  EXPECT_EQ(Json::parse(OpenAiBody(request, Options(), "m"))["prompt"], "a\xef\xbf\xbd");
}

}  // namespace
}  // namespace engram::bench
