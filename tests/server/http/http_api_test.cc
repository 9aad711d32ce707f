// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_api.h"

#include <string>
#include <utility>

#include "base/field_error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/server/http/api_fixture.h"

namespace engram {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing_support::ClientResponse;
using testing_support::HttpApiTest;
using testing_support::TestClient;
using testing_support::WaitFor;

using std::chrono::seconds;

constexpr char kKey[] = "authorization: Bearer sk-1\r\n";

TEST_F(HttpApiTest, AFullQueueAndADrainTellWhenToComeBack) {
  StartServer();
  TestClient client(server_->port());
  engine_.Refuse(WithErrorCode(absl::ResourceExhaustedError("the queue is full"), "queue_full"));
  for (const char* stream : {"false", "true"}) {
    const ClientResponse full =
        client.Post("/v1/completions", std::string(R"({"prompt": "a", "stream": )") + stream + "}");
    EXPECT_EQ(full.status, 429);
    EXPECT_EQ(full.reason, "Too Many Requests");
    EXPECT_TRUE(full.headers.contains("retry-after"));
    EXPECT_EQ(ErrorOf(full)["reason"], "queue_full");
  }
  engine_.Refuse(WithErrorCode(absl::UnavailableError("draining"), "server_draining"));
  api_->BeginDrain();
  const ClientResponse draining = client.Post("/v1/completions", R"({"prompt": "a"})");
  EXPECT_EQ(draining.status, 503);
  EXPECT_TRUE(draining.headers.contains("retry-after"));
  for (const char* path : {"/ready", "/health", "/ping"}) {
    EXPECT_EQ(client.Get(path).status, 503) << path;
  }
  EXPECT_EQ(client.Get("/live").status, 200);
}

TEST_F(HttpApiTest, ServesOperatorsBeforeTheModelIsLoaded) {
  StartServer({}, /*load=*/false);
  TestClient client(server_->port());
  EXPECT_EQ(client.Get("/live").status, 200);
  EXPECT_EQ(client.Get("/metrics").status, 200);
  const ClientResponse ready = client.Get("/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ErrorOf(ready)["reason"], "server_loading");
  EXPECT_EQ(client.Post("/v1/completions", R"({"prompt": "a"})").status, 503);
  EXPECT_EQ(client.Get("/v1/models").status, 503);
  Load();
  EXPECT_EQ(client.Get("/ready").body, R"({"status":"ready"})");
  EXPECT_EQ(client.Get("/health").body, "");
  EXPECT_EQ(client.Get("/v1/models").status, 200);
}

TEST_F(HttpApiTest, AStuckEngineIsNotAlive) {
  HttpApiOptions options;
  options.admin.watchdog = seconds(10);
  StartServer(std::move(options));
  TestClient client(server_->port());
  engine_.SetStats({.has_work = false, .since_last_step = seconds(100)});
  EXPECT_EQ(client.Get("/live").status, 200);  // it has nothing to do
  engine_.SetStats({.has_work = true, .since_last_step = seconds(9)});
  EXPECT_EQ(client.Get("/live").status, 200);
  engine_.SetStats({.has_work = true, .since_last_step = seconds(11)});
  EXPECT_EQ(client.Get("/live").status, 503);
  EXPECT_EQ(client.Get("/health").status, 503);
  EXPECT_EQ(ErrorOf(client.Get("/live"))["reason"], "engine_stuck");
}

TEST_F(HttpApiTest, KeysGuardEverythingButTheProbes) {
  HttpApiOptions options;
  options.keys = *ApiKeys::Parse("sk-1\nsk-2\n");
  StartServer(std::move(options));
  TestClient client(server_->port());
  for (const char* path : {"/v1/models", "//v1/models", "/V1/models", "/%761/models", "/nope",
                           "/load", "/v1/models/tiny", "/health/../v1/models", "/live/x"}) {
    const ClientResponse response = client.Get(path);
    EXPECT_EQ(response.status, 401) << path;
    EXPECT_EQ(response.headers.at("www-authenticate"), "Bearer");
    ErrorOf(response);
  }
  for (const char* path : {"/tokenize", "/detokenize", "/v1/completions", "/invocations"}) {
    EXPECT_EQ(client.Post(path, "{").status, 401) << path;  // before the body is looked at
  }
  for (const char* path : {"/health", "/ping", "/live", "/ready", "/version", "/metrics"}) {
    EXPECT_EQ(client.Get(path).status, 200) << path;
  }
  EXPECT_EQ(client.Get("/v1/models", kKey).status, 200);
  EXPECT_EQ(client.Get("/v1/models", "authorization: bearer sk-2\r\n").status, 200);
  EXPECT_EQ(client.Get("/v1/models", "authorization: Bearer sk\r\n").status, 401);
  EXPECT_EQ(client.Get("/nope", kKey).status, 404);
}

TEST_F(HttpApiTest, MetricsCanBeGuardedToo) {
  HttpApiOptions options;
  options.keys = *ApiKeys::Parse("sk-1\n");
  options.open_metrics = false;
  StartServer(std::move(options));
  TestClient client(server_->port());
  EXPECT_EQ(client.Get("/metrics").status, 401);
  EXPECT_EQ(client.Get("/metrics", kKey).status, 200);
}

TEST_F(HttpApiTest, PathsMethodsAndForms) {
  StartServer();
  TestClient client(server_->port());
  EXPECT_EQ(client.Get("/nope").status, 404);
  EXPECT_EQ(ErrorOf(client.Get("/nope"))["type"], "NotFoundError");
  const ClientResponse wrong_method = client.Get("/v1/completions");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.headers.at("allow"), "POST");
  EXPECT_EQ(client.Post("/v1/models", "").headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(client.Post("/ping", "").status, 200);
  EXPECT_EQ(client.Get("/version").body, R"({"version":"1.2.3"})");
  EXPECT_EQ(client.Get("/load").body, R"({"server_load":0})");
  ASSERT_TRUE(client.Send("HEAD /v1/models HTTP/1.1\r\nhost: t\r\n\r\n"));
  EXPECT_EQ(client.Read(/*no_body=*/true)->status, 200);
  const auto post = [&client](const std::string& fields) {
    EXPECT_TRUE(client.Send("POST /v1/completions HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n" +
                            fields + "\r\n{}"));
    return client.Read()->status;
  };
  EXPECT_EQ(post(""), 415);
  EXPECT_EQ(post("content-type: text/plain\r\n"), 415);
  EXPECT_EQ(post("content-type: application/problem+json\r\n"), 415);
  EXPECT_EQ(post("content-type: application/json; charset=iso-8859-1\r\n"), 415);
  EXPECT_EQ(post("content-type: application/json\r\ncontent-encoding: gzip\r\n"), 415);
  EXPECT_EQ(post("content-type: Application/JSON; charset=\"UTF-8\"\r\n"), 400);  // no prompt
}

TEST_F(HttpApiTest, RequestIdsAreEchoedAndNameTheAnswer) {
  StartServer();
  Answer({" a"});
  TestClient client(server_->port());
  const auto id = [&client](const std::string& headers, const std::string& fields) {
    const ClientResponse response =
        client.Post("/v1/completions", R"({"prompt": "a")" + fields + "}", headers);
    const std::string echoed = response.headers.at("x-request-id");
    EXPECT_EQ(json::parse(response.body)["id"], "cmpl-" + echoed);
    return echoed;
  };
  EXPECT_EQ(id("x-request-id: head-1\r\n", R"(, "request_id": "body-1")"), "head-1");
  EXPECT_EQ(id("", R"(, "request_id": "body-1")"), "body-1");
  EXPECT_EQ(id("", "").size(), 16u);
  EXPECT_EQ(id("x-request-id: " + std::string(300, 'z') + "\r\n", "").size(), 128u);
  EXPECT_EQ(id("x-request-id: a b\xff\r\n", ""), "a_b_");
  EXPECT_EQ(client.Get("/nope", "x-request-id: here\r\n").headers.at("x-request-id"), "here");
  EXPECT_EQ(engine_.life(0)->request().id(), "head-1");
}

TEST_F(HttpApiTest, MetricsCountRequestsByRouteAndNotByPath) {
  StartServer();
  {
    TestClient client(server_->port());
    client.Get("/v1/models/one");
    client.Get("/v1/models/tiny");
    client.Get("/made/up");
  }
  EXPECT_TRUE(WaitFor([this] {
    const std::string text = metrics_.RenderPrometheus();
    return text.find(
               R"(http_requests_total{handler="/v1/models/{model}",method="GET",status="4xx"} 1)") !=
               std::string::npos &&
           text.find(R"(http_requests_total{handler="none",method="GET",status="4xx"} 1)") !=
               std::string::npos;
  }));
  TestClient client(server_->port());
  const ClientResponse metrics = client.Get("/metrics");
  EXPECT_EQ(metrics.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const char* name : {"process_resident_memory_bytes", "process_cpu_seconds_total",
                           "process_open_fds", "process_start_time_seconds"}) {
    EXPECT_THAT(metrics.body, HasSubstr(std::string("\n") + name + " "));
  }
  EXPECT_THAT(metrics.body, testing::Not(HasSubstr("made/up")));
}

}  // namespace
}  // namespace engram
