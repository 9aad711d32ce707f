// SPDX-License-Identifier: Apache-2.0
// The HTTP API on a real socket, over an engine that the test plays and the tiny tokenizer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/frontend.h"
#include "server/http/http_api.h"
#include "server/http/http_server.h"
#include "tests/server/fake_engine.h"
#include "tests/server/http/test_client.h"

namespace engram::testing_support {

inline bool WaitFor(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// Ascending.
inline std::vector<std::string> Keys(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

class HttpApiTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tokenizer = Tokenizer::Load("tests/testdata/tokenizer_tiny");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *std::move(tokenizer);
    chat_ = *ChatTemplate::Recognise(tokenizer_->chat_template(), *tokenizer_);
    FrontendOptions options;
    options.limits = {.max_model_len = 64,
                      .vocab_size = tokenizer_->size(),
                      .cache_tokens = 1000,
                      .eos_token_ids = {1},
                      .has_engram = true};
    options.model_name = "tiny";
    options.model_aliases = {"org/alias"};
    frontend_.emplace(options, tokenizer_.get(), chat_.get(), &engine_, &clock_);
  }
  void TearDown() override {
    if (server_) server_->Stop();
  }

  // `load`: the model is there at once.
  void StartServer(HttpApiOptions options = {}, bool load = true) {
    options.admin.version = "1.2.3";
    api_.emplace(std::move(options), &metrics_, &clock_);
    if (load) Load();
    auto server = HttpServer::Start(
        {.port = 0},
        [this](std::shared_ptr<HttpExchange> exchange) { api_->Handle(std::move(exchange)); },
        HttpApi::ErrorBody);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void Load() {
    OpenAiApiOptions options;
    options.model_root = "models/tiny";
    options.fingerprint = "engram-test";
    options.engram_layers = {1, 3};
    options.engram_streams = 4;
    api_->StartServing(options, &*frontend_);
  }

  std::int32_t Id(const std::string& text) {
    const auto ids = tokenizer_->Encode(text, SpecialTokens::kParse);
    EXPECT_EQ(ids->size(), 1u) << text;
    return (*ids)[0];
  }
  // Every request is answered with these words, one token each, and an end.
  void Answer(const std::vector<std::string>& words, FinishReason finish = FinishReason::kLength) {
    std::vector<std::int32_t> ids;
    for (const std::string& word : words) ids.push_back(Id(word));
    engine_.SetScript([ids, finish](FakeLife* life) {
      for (int choice = 0; choice < life->request().n(); ++choice) {
        for (std::size_t i = 0; i < ids.size(); ++i) {
          const bool last = i + 1 == ids.size();
          life->PushToken(ids[i], last ? std::optional(finish) : std::nullopt, choice);
        }
      }
    });
  }

  static nlohmann::json ErrorOf(const ClientResponse& response) {
    const nlohmann::json body = nlohmann::json::parse(response.body, nullptr, false);
    EXPECT_THAT(Keys(body), testing::ElementsAre("error")) << response.body;
    EXPECT_THAT(Keys(body["error"]),
                testing::ElementsAre("code", "message", "param", "reason", "type"));
    EXPECT_EQ(body["error"]["code"], response.status);
    return body["error"];
  }

  SteadyClock clock_;
  MetricsRegistry metrics_;
  FakeEngine engine_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatTemplate> chat_;
  std::optional<Frontend> frontend_;
  std::optional<HttpApi> api_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace engram::testing_support
