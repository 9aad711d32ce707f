// SPDX-License-Identifier: Apache-2.0
// Whole runs, from settings to result, against a scripted OpenAI-compatible server.
#include "tools/bench/serve/serve_command.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/tools/bench/serve/fake_http_server.h"
#include "tests/tools/bench/serve/openai_script.h"

namespace engram::bench {
namespace {

using Json = nlohmann::json;

constexpr int kVocabSize = 300;
constexpr int kTokens = 3;

Json BodyOf(const std::string& request) {
  return Json::parse(request.substr(request.find("\r\n\r\n") + 4));
}

bool Asks(const std::string& request, const std::string& path) {
  return request.find(" " + path + " ") != std::string::npos;
}

std::string Detokenized(const std::string& request) {
  const Json body = BodyOf(request);
  std::string text;
  for (const int id : body["tokens"]) {
    if (id >= kVocabSize) return JsonAnswer("400 Bad Request", "{\"error\":\"no such token\"}");
    text += "w" + std::to_string(id) + " ";
  }
  const Json answer = {{"prompt", text}};
  return JsonAnswer("200 OK", answer.dump());
}

// A server of one model that answers every prompt with kTokens tokens.
Script OrdinaryAnswer(const std::string& request) {
  const auto whole = [](std::string bytes) { return Script{.parts = {{0, std::move(bytes)}}}; };
  if (Asks(request, "/v1/models")) {
    return whole(JsonAnswer("200 OK", "{\"data\":[{\"id\":\"org/model\"}]}"));
  }
  if (Asks(request, "/detokenize")) return whole(Detokenized(request));
  if (Asks(request, "/metrics")) {
    return whole(JsonAnswer(
        "200 OK", "vllm:num_requests_running 7\nvllm:num_requests_waiting 2\n"));
  }
  const bool chat = Asks(request, "/v1/chat/completions");
  const Json body = BodyOf(request);
  const int prompt = chat ? 9 : static_cast<int>(body["prompt"].size());
  return StreamScript({.prompt_tokens = prompt, .tokens = kTokens, .gap_ms = 1, .chat = chat});
}

Options SmallRun(const FakeHttpServer& server) {
  Options options;
  options.target.port = server.port();
  options.target.endpoint = "/v1/completions";
  options.load.num_prompts = 6;
  options.load.max_concurrency = 2;
  options.dataset.random_input_len = 5;
  options.dataset.random_output_len = kTokens;
  options.sampling.ignore_eos = true;
  options.report.disable_progress = true;
  return options;
}

Options SmallChat(const FakeHttpServer& server) {
  Options options = SmallRun(server);
  options.target.backend = "openai-chat";
  options.target.endpoint = "/v1/chat/completions";
  return options;
}

// The bodies of the requests to `path`, in the order in which they were answered.
std::vector<Json> Bodies(FakeHttpServer& server, const std::string& path) {
  std::vector<Json> out;
  for (const std::string& request : server.requests()) {
    if (Asks(request, path)) out.push_back(BodyOf(request));
  }
  return out;
}

TEST(ServeCommandTest, AsksWhatItMustKnowAndMeasures) {
  FakeHttpServer server(OrdinaryAnswer);
  Options options = SmallRun(server);
  const auto result = RunServe(&options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->model, "org/model");
  EXPECT_EQ(options.dataset.vocab_size, kVocabSize);  // found with /detokenize
  EXPECT_EQ(result->metrics.completed, 6);
  EXPECT_EQ(result->metrics.total_input_tokens, 30);
  EXPECT_EQ(result->metrics.total_output_tokens, 18);
  ASSERT_FALSE(result->queue.empty());
  EXPECT_EQ(result->queue[0].running, 7);
  EXPECT_EQ(result->queue[0].waiting, 2);
}

TEST(ServeCommandTest, MetricsAreNotAskedForWhenOff) {
  FakeHttpServer server(OrdinaryAnswer);
  Options options = SmallRun(server);
  options.target.metrics_url = "off";
  ASSERT_TRUE(RunServe(&options).ok());
  for (const std::string& request : server.requests()) EXPECT_FALSE(Asks(request, "/metrics"));
}

TEST(ServeCommandTest, WarmUpsAreNotMeasuredAndAskSomethingElse) {
  FakeHttpServer server(OrdinaryAnswer);
  Options options = SmallRun(server);
  options.load.num_warmups = 4;
  const auto result = RunServe(&options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->records.size(), 6u);
  EXPECT_EQ(result->metrics.total_output_tokens, 18);
  std::set<Json> prompts;
  for (const Json& body : Bodies(server, "/v1/completions")) prompts.insert(body["prompt"]);
  EXPECT_EQ(prompts.size(), 10u);
}

// They asked the prompts of the run, which the server then had in its prefix cache.
TEST(ServeCommandTest, WarmUpsOfAChatAskSomethingElseToo) {
  FakeHttpServer server(OrdinaryAnswer);
  Options options = SmallChat(server);
  options.load.num_warmups = 4;
  ASSERT_TRUE(RunServe(&options).ok());
  std::set<Json> messages;
  for (const Json& body : Bodies(server, "/v1/chat/completions")) {
    messages.insert(body["messages"]);
  }
  EXPECT_EQ(messages.size(), 10u);
}

TEST(ServeCommandTest, AFailedWarmUpIsTheEnd) {
  FakeHttpServer server([](const std::string& request) {
    if (!Asks(request, "/v1/completions")) return OrdinaryAnswer(request);
    return Script{.parts = {{0, JsonAnswer("503 Service Unavailable", "{\"error\":\"no\"}")}}};
  });
  Options options = SmallRun(server);
  options.load.num_warmups = 1;
  const auto result = RunServe(&options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().message(), "warm-up failed: http_503: Service Unavailable: no");
}

TEST(ServeCommandTest, ChatSendsRandomTokensAsText) {
  FakeHttpServer server(OrdinaryAnswer);
  Options options = SmallChat(server);
  const auto result = RunServe(&options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->metrics.completed, 6);
  for (const Json& body : Bodies(server, "/v1/chat/completions")) {
    ASSERT_EQ(body["messages"].size(), 1u);
    const std::string text = body["messages"][0]["content"];
    EXPECT_EQ(std::count(text.begin(), text.end(), 'w'), 5) << text;
    EXPECT_EQ(body["max_completion_tokens"], kTokens);
  }
}

TEST(ServeCommandTest, MultiTurnSendsTheServersOwnAnswersBack) {
  FakeHttpServer server(OrdinaryAnswer);
  Options options = SmallChat(server);
  options.dataset.name = "multi_turn";
  options.dataset.path = testing::TempDir() + "turns.json";
  options.sampling.ignore_eos = false;
  options.load.num_prompts = 1;
  std::ofstream(options.dataset.path)
      << R"([{"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"recorded"},
             {"role":"user","content":"two"},{"role":"assistant","content":"recorded"}]}])";
  const auto result = RunServe(&options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->records.size(), 2u);
  const std::vector<Json> bodies = Bodies(server, "/v1/chat/completions");
  ASSERT_EQ(bodies.size(), 2u);
  EXPECT_EQ(bodies[1]["messages"],
            Json::parse(R"([{"role":"user","content":"one"},
                            {"role":"assistant","content":"t0 t1 t2"},
                            {"role":"user","content":"two"}])"));
}

TEST(ServeCommandTest, AFileWithoutOversamplingEndsTheRun) {
  FakeHttpServer server(OrdinaryAnswer);
  Options options = SmallRun(server);
  options.dataset.name = "custom";
  options.dataset.path = testing::TempDir() + "prompts.txt";
  options.dataset.custom_output_len = kTokens;
  options.dataset.no_oversample = true;
  std::ofstream(options.dataset.path) << "one\ntwo\n";
  const auto result = RunServe(&options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->records.size(), 2u);
}

TEST(ServeCommandTest, WaitsForTheServerToBeReady) {
  std::atomic<int> asked{0};
  FakeHttpServer server([&asked](const std::string& request) {
    if (!Asks(request, "/v1/models") || ++asked > 2) return OrdinaryAnswer(request);
    return Script{.parts = {{0, JsonAnswer("503 Service Unavailable", "{\"error\":\"wait\"}")}}};
  });
  Options options = SmallRun(server);
  const auto impatient = RunServe(&options);
  ASSERT_FALSE(impatient.ok());
  EXPECT_EQ(impatient.status().message(), "/v1/models: 503 Service Unavailable: wait");
  options.target.ready_timeout_s = 30;
  EXPECT_TRUE(RunServe(&options).ok());
}

TEST(ServeCommandTest, AVocabularyThatNobodyTellsIsAskedFor) {
  FakeHttpServer server([](const std::string& request) {
    if (!Asks(request, "/detokenize")) return OrdinaryAnswer(request);
    return Script{.parts = {{0, JsonAnswer("404 Not Found", "{}")}}};
  });
  Options options = SmallRun(server);
  const auto result = RunServe(&options);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("--vocab-size"), absl::string_view::npos);
  options.dataset.vocab_size = 50;
  EXPECT_TRUE(RunServe(&options).ok());
}

TEST(ServeCommandTest, HeadersGoWithEveryRequest) {
  FakeHttpServer server(OrdinaryAnswer);
  Options options = SmallRun(server);
  options.target.headers = {{"authorization", "Bearer k"}};
  ASSERT_TRUE(RunServe(&options).ok());
  for (const std::string& request : server.requests()) {
    EXPECT_NE(request.find("authorization: Bearer k\r\n"), std::string::npos) << request;
  }
}

}  // namespace
}  // namespace engram::bench
