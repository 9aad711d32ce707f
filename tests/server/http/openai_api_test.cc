// SPDX-License-Identifier: Apache-2.0
#include "server/http/openai_api.h"

#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/server/http/api_fixture.h"

namespace engram {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::ClientResponse;
using testing_support::FakeLife;
using testing_support::HttpApiTest;
using testing_support::Keys;
using testing_support::TestClient;
using testing_support::WaitFor;

using OpenAiApiTest = HttpApiTest;

// The JSON of each event of a stream; "[DONE]" must be the last.
std::vector<json> EventsOf(const std::string& body) {
  std::vector<json> events;
  std::size_t at = 0;
  std::string last;
  while (at < body.size()) {
    const std::size_t end = body.find("\n\n", at);
    EXPECT_NE(end, std::string::npos);
    if (end == std::string::npos) break;
    last = body.substr(at, end - at);
    EXPECT_TRUE(last.starts_with("data: ")) << last;
    if (last != "data: [DONE]") events.push_back(json::parse(last.substr(6)));
    at = end + 2;
  }
  EXPECT_EQ(last, "data: [DONE]");
  return events;
}

TEST_F(OpenAiApiTest, ModelsAreListedAndFoundByName) {
  StartServer();
  TestClient client(server_->port());
  const json list = json::parse(client.Get("/v1/models").body);
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 2u);
  EXPECT_EQ(list["data"][0]["id"], "tiny");
  EXPECT_EQ(list["data"][0]["max_model_len"], 64);
  EXPECT_EQ(list["data"][0]["root"], "models/tiny");
  EXPECT_EQ(list["data"][0]["engram"]["layers"], json({1, 3}));
  EXPECT_EQ(list["data"][1]["id"], "org/alias");
  EXPECT_EQ(json::parse(client.Get("/v1/models/tiny").body)["id"], "tiny");
  EXPECT_EQ(json::parse(client.Get("/v1/models/org/alias").body)["id"], "org/alias");
  EXPECT_EQ(json::parse(client.Get("/v1/models/org%2Falias/").body)["id"], "org/alias");
  const ClientResponse unknown = client.Get("/v1/models/nope");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(ErrorOf(unknown)["param"], "model");
  EXPECT_EQ(ErrorOf(unknown)["reason"], "model_not_found");
}

TEST_F(OpenAiApiTest, ACompletionHasEveryKey) {
  StartServer();
  Answer({" a", " b"});
  TestClient client(server_->port());
  const ClientResponse response = client.Post(
      "/v1/completions", R"({"prompt": "Hello", "max_tokens": 2, "model": "org/alias"})");
  ASSERT_EQ(response.status, 200) << response.body;
  const json body = json::parse(response.body);
  EXPECT_THAT(Keys(body), ElementsAre("choices", "created", "ec_transfer_params", "id",
                                      "kv_transfer_params", "metrics", "model", "object",
                                      "service_tier", "system_fingerprint", "usage"));
  EXPECT_EQ(body["object"], "text_completion");
  EXPECT_EQ(body["model"], "tiny");  // always the first name
  EXPECT_EQ(body["id"], "cmpl-" + response.headers.at("x-request-id"));
  const json& choice = body["choices"][0];
  EXPECT_THAT(Keys(choice), ElementsAre("finish_reason", "index", "logprobs", "prompt_logprobs",
                                        "prompt_token_ids", "routed_experts", "stop_reason", "text",
                                        "token_ids"));
  EXPECT_EQ(choice["text"], " a b");
  EXPECT_EQ(choice["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["completion_tokens"], 2);
  EXPECT_EQ(body["usage"]["total_tokens"].get<int>(),
            body["usage"]["prompt_tokens"].get<int>() + 2);
}

TEST_F(OpenAiApiTest, AChatHasEveryKeyAndItsStreamTheSubset) {
  StartServer();
  Answer({"a", " b"}, FinishReason::kStop);
  TestClient client(server_->port());
  const std::string messages = R"("messages": [{"role": "user", "content": "Hi"}])";
  const json body = json::parse(client.Post("/v1/chat/completions", "{" + messages + "}").body);
  EXPECT_THAT(Keys(body),
              ElementsAre("choices", "created", "ec_transfer_params", "id", "kv_transfer_params",
                          "metrics", "model", "object", "prompt_logprobs", "prompt_text",
                          "prompt_token_ids", "service_tier", "system_fingerprint", "usage"));
  EXPECT_EQ(body["choices"][0]["message"]["role"], "assistant");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "a");  // " b" stopped it
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");

  const ClientResponse streamed = client.Post(
      "/v1/chat/completions",
      "{" + messages + R"(, "stream": true, "stream_options": {"include_usage": true}})");
  EXPECT_EQ(streamed.headers.at("content-type"), "text/event-stream; charset=utf-8");
  const auto events = EventsOf(streamed.body);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0]["choices"][0]["delta"], (json{{"role", "assistant"}, {"content", ""}}));
  EXPECT_EQ(events[0]["object"], "chat.completion.chunk");
  EXPECT_EQ(events[1]["choices"][0]["delta"], (json{{"content", "a"}}));
  EXPECT_FALSE(events[1]["choices"][0].contains("stop_reason"));
  EXPECT_FALSE(events[1].contains("usage"));
  EXPECT_EQ(events[2]["choices"][0]["finish_reason"], "stop");
  EXPECT_TRUE(events[2]["choices"][0].contains("stop_reason"));
  EXPECT_FALSE(events[2].contains("system_fingerprint"));
  EXPECT_EQ(events[3]["choices"], json::array());
  EXPECT_EQ(events[3]["usage"]["completion_tokens"], 2);
  EXPECT_EQ(events[3]["system_fingerprint"], "engram-test");
  for (const json& event : events) EXPECT_EQ(event["id"], events[0]["id"]);
}

TEST_F(OpenAiApiTest, AStreamSaysTheSameAsOneBody) {
  StartServer();
  Answer({" a", " b", " c"});
  TestClient client(server_->port());
  const std::string fields = R"("prompt": ["x", "y"], "n": 2, "temperature": 1, "max_tokens": 3)";
  const json whole = json::parse(client.Post("/v1/completions", "{" + fields + "}").body);
  const auto events =
      EventsOf(client
                   .Post("/v1/completions", "{" + fields + R"(, "stream": true, "stream_options":
          {"include_usage": true, "continuous_usage_stats": true}})")
                   .body);
  std::vector<std::string> texts(4);
  int completion_tokens = 0;
  for (const json& event : events) {
    for (const json& choice : event["choices"]) {
      texts[choice["index"].get<std::size_t>()] += choice["text"].get<std::string>();
      EXPECT_EQ(event["usage"]["completion_tokens"], ++completion_tokens);
    }
  }
  ASSERT_EQ(whole["choices"].size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(texts[i], whole["choices"][i]["text"]);
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
  EXPECT_EQ(events.back()["usage"]["prompt_tokens"], whole["usage"]["prompt_tokens"]);
}

TEST_F(OpenAiApiTest, LogprobsInTheShapesOfBothRoutes) {
  StartServer();
  const std::int32_t a = Id(" a");
  const std::int32_t b = Id(" b");
  engine_.SetScript([a, b](FakeLife* life) {
    auto prompt = std::make_shared<PromptResult>();
    for (const std::int32_t id : life->request().prompt()) {
      prompt->tokens.emplace_back().token = id;
      if (prompt->tokens.size() == 1) continue;
      prompt->tokens.back().logprob = TokenLogprob{id, -7.5f, 9};
      prompt->tokens.back().top_logprobs = {TokenLogprob{b, -0.5f, 1}, TokenLogprob{a, -1.5f, 2}};
    }
    TokenEvent event;
    event.prompt = prompt;
    event.token.emplace().token = a;
    event.token->logprob = TokenLogprob{a, -2.5f, 4};
    event.token->top_logprobs = {TokenLogprob{b, -0.25f, 1},
                                 TokenLogprob{a, -std::numeric_limits<float>::infinity(), 2}};
    event.finish = FinishReason::kLength;
    life->Push(event);
  });
  TestClient client(server_->port());
  const json completion =
      json::parse(client
                      .Post("/v1/completions",
                            R"({"prompt": "Hi you", "echo": true, "logprobs": 1, "max_tokens": 1})")
                      .body);
  const json& choice = completion["choices"][0];
  const std::size_t tokens = choice["logprobs"]["tokens"].size();
  EXPECT_EQ(tokens, completion["usage"]["total_tokens"].get<std::size_t>());
  EXPECT_EQ(choice["logprobs"]["token_logprobs"][0], nullptr);
  EXPECT_EQ(choice["logprobs"]["top_logprobs"][0], nullptr);
  EXPECT_EQ(choice["logprobs"]["token_logprobs"][tokens - 1], -2.5);
  EXPECT_EQ(choice["logprobs"]["top_logprobs"][tokens - 1], (json{{" a", -2.5}, {" b", -0.25}}));
  EXPECT_EQ(choice["logprobs"]["text_offset"][0], 0);
  EXPECT_EQ(choice["prompt_logprobs"][0], nullptr);
  EXPECT_EQ(choice["prompt_logprobs"][1].size(), 2u);  // itself and one more, as asked
  EXPECT_EQ(choice["prompt_logprobs"][1][std::to_string(b)]["rank"], 1);
  EXPECT_EQ(choice["prompt_logprobs"][1][std::to_string(b)]["decoded_token"], " b");
  EXPECT_THAT(choice["text"].get<std::string>(), HasSubstr("Hi you"));

  const json chat =
      json::parse(client
                      .Post("/v1/chat/completions",
                            R"({"messages": [{"role": "user", "content": "x"}], "logprobs": true,
                      "top_logprobs": 2, "max_tokens": 1})")
                      .body);
  const json& content = chat["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), 1u);
  EXPECT_EQ(content[0]["token"], " a");
  EXPECT_EQ(content[0]["bytes"], json({32, 97}));
  ASSERT_EQ(content[0]["top_logprobs"].size(), 2u);
  EXPECT_EQ(content[0]["top_logprobs"][1]["logprob"], -9999.0);  // minus infinity
}

TEST_F(OpenAiApiTest, GatesComeWithEachToken) {
  StartServer();
  const std::int32_t a = Id(" a");
  engine_.SetScript([a](FakeLife* life) {
    EXPECT_FALSE(life->request().engram_enabled());
    auto prompt = std::make_shared<PromptResult>();
    for (const std::int32_t id : life->request().prompt()) {
      prompt->tokens.emplace_back().token = id;
      prompt->tokens.back().gates = {0.25f, 0.5f};
    }
    TokenEvent event;
    event.prompt = prompt;
    event.token.emplace().token = a;
    event.token->gates = {0.125f, 1.0f};
    life->Push(event);
    life->PushToken(a, FinishReason::kLength);  // the last one was not read by the model
  });
  TestClient client(server_->port());
  const json body =
      json::parse(client
                      .Post("/v1/completions",
                            R"({"prompt": [5, 6], "engram": {"enabled": false, "gates": true}})")
                      .body);
  EXPECT_EQ(body["choices"][0]["engram_gates"], json::parse("[[0.125, 1.0], []]"));
  EXPECT_EQ(body["choices"][0]["prompt_engram_gates"], json::parse("[[0.25, 0.5], [0.25, 0.5]]"));
}

TEST_F(OpenAiApiTest, ErrorsAreKnownBeforeTheFirstByteOfAStream) {
  StartServer();
  TestClient client(server_->port());
  for (const char* fields : {R"("logit_bias": {"999999": 1})", R"("allowed_token_ids": [999999])",
                             R"("stop_token_ids": [-1])", R"("logprobs": 21)"}) {
    const ClientResponse response = client.Post(
        "/v1/completions", std::string(R"({"prompt": "a", "stream": true, )") + fields + "}");
    EXPECT_EQ(response.status, 400) << fields;
    EXPECT_THAT(fields, HasSubstr(ErrorOf(response)["param"].get<std::string>()));
  }
}

TEST_F(OpenAiApiTest, ValueErrorsCarryTheBodysNameOfTheField) {
  StartServer();
  TestClient client(server_->port());
  const auto error = [&client](const std::string& path, const std::string& body) {
    return ErrorOf(client.Post(path, body));
  };
  EXPECT_EQ(error("/v1/completions", R"({"prompt": "a", "temperature": -1})")["param"],
            "temperature");
  const json typed = error("/v1/completions", R"({"prompt": "a", "temperature": "hot"})");
  EXPECT_EQ(typed["param"], "body.temperature");
  EXPECT_EQ(typed["type"], "Bad Request");
  const std::string too_long(1000, 'x');
  EXPECT_EQ(error("/v1/completions", "{\"prompt\": \"" + too_long + "\"}")["param"],
            "input_tokens");
  const json chat = error("/v1/chat/completions",
                          R"({"messages": [{"role": "user", "content": ")" + too_long + "\"}]}");
  EXPECT_EQ(chat["param"], "input_tokens");
  EXPECT_EQ(chat["reason"], "context_length_exceeded");
  EXPECT_EQ(error("/v1/chat/completions", R"({"messages": [{"role": "user", "content": "a"}],
                  "logprobs": true, "top_logprobs": 21})")["param"],
            "top_logprobs");
}

TEST_F(OpenAiApiTest, AClientThatLeavesFreesItsRequest) {
  StartServer();
  for (const char* stream : {"false", "true"}) {
    SCOPED_TRACE(stream);
    const std::size_t index = engine_.request_count();
    TestClient client(server_->port());
    const std::string body =
        std::string(R"({"prompt": "a", "max_tokens": 50, "stream": )") + stream + "}";
    ASSERT_TRUE(
        client.Send("POST /v1/completions HTTP/1.1\r\nhost: t\r\n"
                    "content-type: application/json\r\ncontent-length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body));
    ASSERT_TRUE(WaitFor([&] { return engine_.life(index) != nullptr; }));
    engine_.life(index)->PushToken(Id(" a"));
    EXPECT_FALSE(engine_.life(index)->dropped());
    client.Close();
    EXPECT_TRUE(WaitFor([&] { return engine_.life(index)->dropped(); }));
  }
  EXPECT_TRUE(WaitFor([this] {
    return metrics_.RenderPrometheus().find("engram:http_requests_client_disconnected_total 2") !=
           std::string::npos;
  }));
  TestClient other(server_->port());
  EXPECT_EQ(other.Get("/load").body, R"({"server_load":0})");
}

TEST_F(OpenAiApiTest, AStreamThatNobodyReadsStaysWithTheEngine) {
  StartServer();
  TestClient client(server_->port());
  const std::string body = R"({"prompt": "a", "stream": true, "max_tokens": 50})";
  ASSERT_TRUE(
      client.Send("POST /v1/completions HTTP/1.1\r\nhost: t\r\n"
                  "content-type: application/json\r\ncontent-length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body));
  ASSERT_TRUE(WaitFor([&] { return engine_.life(0) != nullptr; }));
  const auto life = engine_.life(0);
  constexpr int kTokens = 60000;  // some 10 MB of events, more than sockets hold
  const std::int32_t a = Id(" a");
  for (int i = 0; i < kTokens; ++i) {
    life->PushToken(a, i + 1 == kTokens ? std::optional(FinishReason::kLength) : std::nullopt);
  }
  // Then the client reads, and gets all of it.
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(EventsOf(response->body).size(), static_cast<std::size_t>(kTokens));
}

TEST_F(OpenAiApiTest, TheHeadOfAStreamComesBeforeTheFirstToken) {
  StartServer();
  TestClient client(server_->port());
  const std::string body = R"({"prompt": "a", "stream": true})";
  ASSERT_TRUE(
      client.Send("POST /v1/completions HTTP/1.1\r\nhost: t\r\n"
                  "content-type: application/json\r\ncontent-length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body));
  EXPECT_EQ(client.ReadHead()->status, 200);
  engine_.life(0)->PushToken(Id(" a"));
  EXPECT_THAT(*client.ReadChunk(), HasSubstr("\"text\":\" a\""));
  engine_.life(0)->PushToken(Id(" b"), FinishReason::kLength);
  EXPECT_THAT(*client.ReadChunk(), HasSubstr("\"text\":\" b\""));
}

TEST_F(OpenAiApiTest, AnAnswerThatTheServerEndsEarly) {
  StartServer();
  Answer({" a"}, FinishReason::kAborted);
  TestClient client(server_->port());
  const ClientResponse unary = client.Post("/v1/completions", R"({"prompt": "a"})");
  EXPECT_EQ(unary.status, 503);
  EXPECT_EQ(ErrorOf(unary)["reason"], "server_draining");
  const auto events =
      EventsOf(client.Post("/v1/completions", R"({"prompt": "a", "stream": true})").body);
  EXPECT_EQ(events.back()["choices"][0]["finish_reason"], "abort");

  engine_.SetScript([this](FakeLife* life) {
    life->PushToken(Id(" a"));
    life->Fail("model.safetensors: cannot read 4096 bytes at byte 8192");
  });
  const ClientResponse failed = client.Post("/v1/completions", R"({"prompt": "a"})");
  EXPECT_EQ(failed.status, 500);
  EXPECT_THAT(ErrorOf(failed)["message"].get<std::string>(), HasSubstr("at byte 8192"));
  const auto failed_events =
      EventsOf(client.Post("/v1/completions", R"({"prompt": "a", "stream": true})").body);
  EXPECT_EQ(failed_events.back()["error"]["code"], 500);
  EXPECT_THAT(failed_events.back()["error"]["message"].get<std::string>(),
              HasSubstr("at byte 8192"));
  EXPECT_EQ(failed_events[failed_events.size() - 2]["choices"][0]["finish_reason"], "error");

  Answer({" a"}, FinishReason::kDeadline);
  const json late = json::parse(client.Post("/v1/completions", R"({"prompt": "a"})").body);
  EXPECT_EQ(late["choices"][0]["text"], " a");
  EXPECT_EQ(late["choices"][0]["finish_reason"], "abort");
  EXPECT_EQ(late["choices"][0]["stop_reason"], "time_limit");
}

TEST_F(OpenAiApiTest, TokenizeAndDetokenize) {
  StartServer();
  TestClient client(server_->port());
  const json tokens =
      json::parse(client
                      .Post("/tokenize", R"({"prompt": "Hello", "add_special_tokens": false,
                                   "return_token_strs": true})")
                      .body);
  EXPECT_THAT(Keys(tokens), ElementsAre("count", "max_model_len", "token_strs", "tokens"));
  EXPECT_EQ(tokens["count"], tokens["tokens"].size());
  EXPECT_EQ(tokens["token_strs"].size(), tokens["tokens"].size());
  const json text =
      json::parse(client.Post("/detokenize", json{{"tokens", tokens["tokens"]}}.dump()).body);
  EXPECT_EQ(text, (json{{"prompt", "Hello"}}));
  const ClientResponse unknown = client.Post("/detokenize", R"({"tokens": [99999]})");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(ErrorOf(unknown)["param"], "tokens");
  EXPECT_EQ(client.Post("/tokenize", R"({"prompt": "a", "model": "nope"})").status, 404);
}

}  // namespace
}  // namespace engram
