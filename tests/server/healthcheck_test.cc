// SPDX-License-Identifier: Apache-2.0
#include "server/healthcheck.h"

#include <memory>
#include <utility>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/http/http_server.h"

namespace engram {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

std::unique_ptr<HttpServer> StartServer(HttpHandler handler) {
  HttpServerOptions options;
  options.port = 0;
  options.threads = 1;
  auto server = HttpServer::Start(options, std::move(handler), [](int status, const std::string&) {
    HttpResponse response;
    response.status = status;
    return response;
  });
  EXPECT_TRUE(server.ok()) << server.status();
  return std::move(server).value();
}

TEST(HealthcheckTest, OkIsOkAndAnythingElseIsNot) {
  const auto server = StartServer([](std::shared_ptr<HttpExchange> exchange) {
    HttpResponse response;
    response.status = exchange->request().path == "/ready" ? 200 : 503;
    exchange->Respond(response);
  });
  EXPECT_TRUE(CheckHealth("127.0.0.1", server->port(), "/ready", seconds(5)).ok());
  EXPECT_THAT(Message(CheckHealth("127.0.0.1", server->port(), "/live", seconds(5))),
              HasSubstr("/live: HTTP/1.1 503"));
}

TEST(HealthcheckTest, NobodyThere) {
  auto server = StartServer([](std::shared_ptr<HttpExchange>) {});
  const int port = server->port();
  server.reset();
  EXPECT_THAT(Message(CheckHealth("127.0.0.1", port, "/ready", seconds(5))),
              HasSubstr("Connection refused"));
}

TEST(HealthcheckTest, GivesUpOnASilentServer) {
  std::shared_ptr<HttpExchange> held;
  const auto server =
      StartServer([&](std::shared_ptr<HttpExchange> exchange) { held = std::move(exchange); });
  EXPECT_THAT(Message(CheckHealth("127.0.0.1", server->port(), "/ready", milliseconds(100))),
              HasSubstr("no answer in time"));
  server->Stop();
  held.reset();
}

}  // namespace
}  // namespace engram
