// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_server.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/http/test_client.h"

namespace engram {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing_support::ClientResponse;
using testing_support::TestClient;

HttpResponse Error(int status, const std::string& message) {
  return {.status = status, .headers = {}, .body = "{\"refused\":\"" + message + "\"}"};
}

bool WaitFor(const std::function<bool()>& condition, seconds patience = seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

// Answers /echo with what it got, and keeps every other exchange for the test to answer.
class HttpServerTest : public testing::Test {
 protected:
  void StartServer(HttpServerOptions options = {}) {
    options.port = 0;
    auto started = HttpServer::Start(
        options, [this](std::shared_ptr<HttpExchange> exchange) { Handle(std::move(exchange)); },
        Error);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = std::move(*started);
  }
  void TearDown() override {
    if (server_) server_->Stop();
  }

  void Handle(std::shared_ptr<HttpExchange> exchange) {
    const HttpRequest& request = exchange->request();
    if (request.path == "/echo") {
      exchange->Respond({.status = 200,
                         .headers = {},
                         .content_type = "text/plain",
                         .body = request.method + ' ' + request.query + ' ' + request.body});
      return;
    }
    if (request.path == "/drop") return;
    std::lock_guard lock(mutex_);
    kept_.push_back(std::move(exchange));
    changed_.notify_all();
  }

  // The next exchange that the handler kept.
  std::shared_ptr<HttpExchange> NextKept() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, seconds(10), [this] { return !kept_.empty(); })) {
      ADD_FAILURE() << "no request came";
      return nullptr;
    }
    auto exchange = std::move(kept_.front());
    kept_.erase(kept_.begin());
    return exchange;
  }

  int port() const { return server_->port(); }

  std::unique_ptr<HttpServer> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<HttpExchange>> kept_;
};

TEST_F(HttpServerTest, AnswersManyRequestsOnOneConnection) {
  StartServer();
  TestClient client(port());
  for (int i = 0; i < 3; ++i) {
    const ClientResponse response = client.Post("/echo?a=1", "body " + std::to_string(i));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.reason, "OK");
    EXPECT_EQ(response.body, "POST a=1 body " + std::to_string(i));
    EXPECT_EQ(response.headers.at("content-type"), "text/plain");
    EXPECT_EQ(response.headers.at("server"), "engram-server");
    EXPECT_THAT(response.headers.at("date"), testing::EndsWith(" GMT"));
  }
  EXPECT_EQ(server_->open_connections(), 1);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  StartServer();
  TestClient client(port());
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += "GET /echo?" + std::to_string(i) + " HTTP/1.1\r\nhost: t\r\n\r\n";
  }
  ASSERT_TRUE(client.Send("\r\n" + requests));
  for (int i = 0; i < 200; ++i) {
    const auto response = client.Read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "GET " + std::to_string(i) + " ");
  }
}

TEST_F(HttpServerTest, TakesRequestsByteByByte) {
  StartServer();
  TestClient client(port());
  for (const char c :
       std::string("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")) {
    ASSERT_TRUE(client.Send({&c, 1}));
  }
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "POST  abcde");
}

TEST_F(HttpServerTest, HeadHasNoBodyAndHttp10IsClosed) {
  StartServer();
  TestClient client(port());
  ASSERT_TRUE(client.Send("HEAD /echo HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto head = client.Read(/*no_body=*/true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->headers.at("content-length"), "6");
  EXPECT_EQ(client.Get("/echo").body, "GET  ");  // nothing of the body was left over

  TestClient old(port());
  ASSERT_TRUE(old.Send("GET /echo HTTP/1.0\r\n\r\n"));
  const auto answer = old.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->headers.at("connection"), "close");
  EXPECT_TRUE(old.ClosedWithin(5));
}

TEST_F(HttpServerTest, UnderstandsTheAbsoluteForm) {
  StartServer();
  TestClient client(port());
  EXPECT_EQ(client.Get("http://example.test/echo?q").body, "GET q ");
  ASSERT_TRUE(client.Send("GET http://example.test HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->request().path, "/");
}

TEST_F(HttpServerTest, InvitesABodyThatWaitsForContinue) {
  StartServer();
  TestClient client(port());
  ASSERT_TRUE(client.Send(
      "POST /echo HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"));
  const auto interim = client.Read();
  ASSERT_TRUE(interim);
  EXPECT_EQ(interim->status, 100);
  ASSERT_TRUE(client.Send("hi"));
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "POST  hi");
}

TEST_F(HttpServerTest, RefusesWhatIsTooLarge) {
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  StartServer(options);
  const std::string post = "POST /echo HTTP/1.1\r\nhost: t\r\n";
  struct Case {
    std::string bytes;
    int status;
  };
  const std::string long_text(70000, 'x');
  for (const Case& c : {
           Case{post + "content-length: 1001\r\n\r\n", 413},
           Case{post + "expect: 100-continue\r\ncontent-length: 1001\r\n\r\n", 413},
           Case{post + "transfer-encoding: chunked\r\n\r\n3e9\r\n", 413},
           Case{post + "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413},
           Case{"GET /" + long_text, 414},
           Case{"GET /" + std::string(9000, 'y') + " HTTP/1.1\r\nhost: t\r\n\r\n", 414},
           Case{"GET / HTTP/1.1\r\nhost: t\r\nx: " + long_text, 431},
       }) {
    SCOPED_TRACE(c.bytes.substr(0, 90));
    TestClient client(port());
    ASSERT_TRUE(client.Send(c.bytes));
    const auto response = client.Read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, c.status);
    EXPECT_EQ(response->headers.at("connection"), "close");
    EXPECT_THAT(response->body, HasSubstr("refused"));
    EXPECT_TRUE(client.ClosedWithin(5));
  }
  EXPECT_TRUE(WaitFor([this] { return server_->open_connections() == 0; }));
}

TEST_F(HttpServerTest, BodiesOfAllConnectionsTogetherAreBounded) {
  HttpServerOptions options;
  options.buffered_bytes_max = 10000;
  StartServer(options);
  const std::string body(6000, 'x');
  const std::string post = "POST /wait HTTP/1.1\r\nhost: t\r\ncontent-length: 6000\r\n\r\n" + body;
  TestClient first(port());
  ASSERT_TRUE(first.Send(post));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  TestClient second(port());
  ASSERT_TRUE(second.Send(post));
  EXPECT_EQ(second.Read()->status, 503);
  EXPECT_EQ(first.Send("GET /echo HTTP/1.1\r\nhost: t\r\n\r\n"), true);
  exchange->Respond({.status = 200, .headers = {}, .body = "{}"});
  EXPECT_EQ(first.Read()->status, 200);
  EXPECT_EQ(first.Read()->status, 200);  // by now the body no longer counts
  TestClient third(port());
  EXPECT_EQ(third.Post("/echo", body).status, 200);
}

TEST_F(HttpServerTest, TheAnswerToATooLargeBodyArrivesWhileItIsStillSent) {
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  StartServer(options);
  TestClient client(port());
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 4000000\r\n\r\n"));
  const std::string part(100000, 'x');
  for (int i = 0; i < 40; ++i) {
    if (!client.Send(part)) break;
  }
  const auto response = client.Read();
  ASSERT_TRUE(response) << "the connection was reset before the answer was read";
  EXPECT_EQ(response->status, 413);
}

TEST_F(HttpServerTest, RefusesBrokenHttp) {
  StartServer();
  const std::string post = "POST /echo HTTP/1.1\r\nhost: t\r\n";
  struct Case {
    std::string bytes;
    int status = 400;
  };
  for (const Case& c : {
           Case{"GARBAGE\r\n\r\n"},
           Case{std::string("\x16\x03\x01\x02\0\x01\0\x01\xfc", 9) + std::string(60, '\0')},
           Case{"GET /echo HTTP/1.1\nhost: t\n\n"},
           Case{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
           Case{"GET /echo HTTP/1.1\r\n\r\n"},  // no host
           Case{"GET /echo HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"},
           Case{post + "content-length: -1\r\n\r\n{}"},
           Case{post + "content-length: 99999999999999999999999\r\n\r\n{}"},
           Case{post + "content-length: 2\r\ncontent-length: 3\r\n\r\nabc"},
           Case{post + "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
           Case{post + "transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n"},
           Case{post + "transfer-encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"},
           Case{post + "transfer-encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n"},
           Case{post + "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n"},
           Case{post + "transfer-encoding: chunked\r\n\r\n1;" + std::string(70000, 'e')},
           Case{post + "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
           Case{post + "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
           Case{post + "expect: a-miracle\r\ncontent-length: 2\r\n\r\nab", 417},
       }) {
    SCOPED_TRACE(c.bytes.substr(0, 120));
    TestClient client(port());
    ASSERT_TRUE(client.Send(c.bytes));
    const auto response = client.Read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, c.status);
    EXPECT_THAT(response->body, HasSubstr("refused"));
    EXPECT_TRUE(client.ClosedWithin(5));
  }
}

TEST_F(HttpServerTest, ManySmallChunksCostNoQuadraticTime) {
  StartServer();
  TestClient client(port());
  std::string body;
  for (int i = 0; i < 300000; ++i) body += "1\r\nx\r\n";
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n" +
                          body + "0\r\n\r\n"));
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body.size(), 300000u + 6);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
}

TEST_F(HttpServerTest, SlowHeadsAndBodiesTimeOut) {
  HttpServerOptions options;
  options.header_timeout = milliseconds(150);
  options.body_timeout = milliseconds(150);
  options.idle_timeout = milliseconds(150);
  StartServer(options);

  TestClient slow_head(port());
  TestClient slow_body(port());
  TestClient silent(port());
  TestClient idle(port());
  EXPECT_EQ(idle.Get("/echo").status, 200);
  ASSERT_TRUE(slow_body.Send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 9\r\n\r\nab"));
  // A byte now and then does not help: the whole head has one deadline.
  std::thread drip([&slow_head] {
    for (const char c : std::string("GET /echo HTTP/1.1\r\nhost: t\r\nx-padding: xxxxx")) {
      if (!slow_head.Send({&c, 1})) return;
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  const auto head_answer = slow_head.Read();
  const auto body_answer = slow_body.Read();
  drip.join();
  ASSERT_TRUE(head_answer);
  EXPECT_EQ(head_answer->status, 408);
  ASSERT_TRUE(body_answer);
  EXPECT_EQ(body_answer->status, 408);
  EXPECT_TRUE(silent.ClosedWithin(5));
  EXPECT_TRUE(idle.ClosedWithin(5));
}

TEST_F(HttpServerTest, StreamsInChunks) {
  StartServer();
  TestClient client(port());
  ASSERT_TRUE(client.Send("GET /stream HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  std::atomic<int> drained{0};
  exchange->SetOnDrained([&drained] { ++drained; });
  exchange->StartStream({.status = 200,
                         .headers = {{"x-a", "1\r\nx-b: 2"}},
                         .content_type = "text/event-stream",
                         .body = ""});
  exchange->Write("one");
  const auto head = client.ReadHead();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(head->headers.at("x-a"), "1  x-b: 2");  // no field of its own
  EXPECT_FALSE(head->headers.contains("content-length"));
  EXPECT_EQ(client.ReadChunk(), "one");
  EXPECT_TRUE(WaitFor([&] { return drained > 0 && exchange->unsent_bytes() == 0; }));
  exchange->Write("");
  exchange->Write("two");
  exchange->End();
  exchange->Write("never");
  EXPECT_EQ(client.ReadChunk(), "two");
  EXPECT_EQ(client.ReadChunk(), "");
  EXPECT_EQ(client.Get("/echo").status, 200);
}

TEST_F(HttpServerTest, AnHttp10StreamEndsWithItsConnection) {
  StartServer();
  TestClient client(port());
  ASSERT_TRUE(client.Send("GET /stream HTTP/1.0\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  exchange->StartStream({});
  exchange->Write("one");
  exchange->Write("two");
  exchange->End();
  const auto head = client.ReadHead();
  ASSERT_TRUE(head);
  EXPECT_FALSE(head->headers.contains("transfer-encoding"));
  EXPECT_EQ(client.ReadToEnd(), "onetwo");
}

// The ways in which a client leaves while its answer is computed.
TEST_F(HttpServerTest, NoticesAClientThatLeaves) {
  StartServer();
  for (int way = 0; way < 4; ++way) {
    SCOPED_TRACE(way);
    TestClient client(port());
    ASSERT_TRUE(client.Send("POST /wait HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nab"));
    const auto exchange = NextKept();
    ASSERT_TRUE(exchange);
    std::atomic<int> closed{0};
    exchange->SetOnClosed([&closed] { ++closed; });
    if (way == 3) exchange->StartStream({});
    if (way == 0) client.Close();
    if (way == 1) client.Reset();
    if (way == 2) client.CloseSending();
    if (way == 3) client.Close();
    EXPECT_TRUE(WaitFor([&closed] { return closed == 1; }));
    std::atomic<bool> late{false};
    exchange->SetOnClosed([&late] { late = true; });  // has happened already
    EXPECT_TRUE(WaitFor([&late] { return late.load(); }));
    exchange->Respond({});
    exchange->Write("x");
    exchange->End();
    EXPECT_EQ(closed, 1);
  }
  EXPECT_TRUE(WaitFor([this] { return server_->open_connections() == 0; }));
}

TEST_F(HttpServerTest, AClientThatPipelinesAndLeavesIsNoticedToo) {
  StartServer();
  TestClient client(port());
  ASSERT_TRUE(
      client.Send("GET /wait HTTP/1.1\r\nhost: t\r\n\r\n"
                  "GET /echo HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  std::atomic<bool> closed{false};
  exchange->SetOnClosed([&closed] { closed = true; });
  client.Close();
  EXPECT_TRUE(WaitFor([&closed] { return closed.load(); }));
}

TEST_F(HttpServerTest, OnClosedIsNotCalledForACompleteAnswer) {
  StartServer();
  std::atomic<bool> closed{false};
  {
    TestClient client(port());
    ASSERT_TRUE(client.Send("GET /wait HTTP/1.1\r\nhost: t\r\n\r\n"));
    const auto exchange = NextKept();
    ASSERT_TRUE(exchange);
    exchange->SetOnClosed([&closed] { closed = true; });
    exchange->Respond({.status = 200, .headers = {}, .body = "{}"});
    EXPECT_EQ(client.Read()->body, "{}");
  }
  EXPECT_TRUE(WaitFor([this] { return server_->open_connections() == 0; }));
  EXPECT_FALSE(closed);
}

TEST_F(HttpServerTest, AStalledReaderIsCutAndFreesItsStream) {
  HttpServerOptions options;
  options.write_stall_timeout = milliseconds(300);
  StartServer(options);
  TestClient client(port(), /*receive_buffer=*/16 << 10);
  ASSERT_TRUE(client.Send("GET /stream HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  std::atomic<bool> closed{false};
  exchange->SetOnClosed([&closed] { closed = true; });
  exchange->StartStream({});
  const std::string chunk(1 << 20, 'x');
  for (int i = 0; i < 32; ++i) exchange->Write(chunk);
  EXPECT_GT(exchange->unsent_bytes(), std::size_t{1} << 20);
  EXPECT_TRUE(WaitFor([&closed] { return closed.load(); }));
}

TEST_F(HttpServerTest, ASlowButSteadyReaderIsNotCut) {
  HttpServerOptions options;
  options.write_stall_timeout = milliseconds(400);
  StartServer(options);
  TestClient client(port(), /*receive_buffer=*/256 << 10);
  ASSERT_TRUE(client.Send("GET /stream HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  exchange->StartStream({});
  const std::string chunk(1 << 20, 'x');
  for (int i = 0; i < 12; ++i) exchange->Write(chunk);
  exchange->End();
  ASSERT_TRUE(client.ReadHead());
  for (int i = 0; i < 12; ++i) {
    std::this_thread::sleep_for(milliseconds(60));  // longer than the timeout in all
    const auto got = client.ReadChunk();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->size(), chunk.size());
  }
}

TEST_F(HttpServerTest, AThousandIdleStreamsNeedTwoThreads) {
  HttpServerOptions options;
  options.threads = 2;
  StartServer(options);
  std::vector<std::unique_ptr<TestClient>> clients;
  std::vector<std::shared_ptr<HttpExchange>> streams;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(std::make_unique<TestClient>(port()));
    ASSERT_TRUE(clients.back()->Send("GET /stream HTTP/1.1\r\nhost: t\r\n\r\n"));
    streams.push_back(NextKept());
    ASSERT_TRUE(streams.back());
    streams.back()->StartStream({});
  }
  EXPECT_EQ(server_->open_connections(), 1000);
  TestClient other(port());
  EXPECT_EQ(other.Get("/echo").status, 200);  // nobody is kept waiting
  for (const auto& stream : streams) {
    stream->Write("token");
    stream->End();
  }
  for (const auto& client : clients) {
    const auto response = client->Read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "token");
  }
}

TEST_F(HttpServerTest, RefusesConnectionsOverTheLimit) {
  HttpServerOptions options;
  options.connections_max = 2;
  StartServer(options);
  TestClient first(port());
  TestClient second(port());
  EXPECT_EQ(first.Get("/echo").status, 200);
  EXPECT_EQ(second.Get("/echo").status, 200);
  TestClient third(port());
  const auto refused = third.Read();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_TRUE(third.ClosedWithin(5));
  third.Close();
  first.Close();
  EXPECT_TRUE(WaitFor([this] {
    TestClient again(port());
    return again.Get("/echo").status == 200;
  }));
}

TEST_F(HttpServerTest, ADroppedExchangeIsAnError) {
  StartServer();
  TestClient client(port());
  const ClientResponse response = client.Get("/drop");
  EXPECT_EQ(response.status, 500);
}

TEST_F(HttpServerTest, TasksOfOneExchangeNeverOverlap) {
  StartServer();
  TestClient client(port());
  ASSERT_TRUE(client.Send("GET /wait HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  int count = 0;  // not atomic: ThreadSanitizer would see an overlap
  std::atomic<int> done{0};
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        exchange->Post([&count, &done] {
          ++count;
          ++done;
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  EXPECT_TRUE(WaitFor([&done] { return done == 2000; }));
  EXPECT_EQ(count, 2000);
}

TEST_F(HttpServerTest, DrainingFinishesWhatRunsAndClosesTheRest) {
  StartServer();
  TestClient idle(port());
  EXPECT_EQ(idle.Get("/echo").status, 200);
  TestClient busy(port());
  ASSERT_TRUE(busy.Send("GET /wait HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  server_->StopAccepting();
  EXPECT_TRUE(idle.ClosedWithin(5));
  exchange->Respond({.status = 200, .headers = {}, .body = "{}"});
  const auto response = busy.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_TRUE(busy.ClosedWithin(5));
}

TEST_F(HttpServerTest, StopEndsOpenExchangesAndLateCallsAreHarmless) {
  StartServer();
  TestClient client(port());
  ASSERT_TRUE(client.Send("GET /wait HTTP/1.1\r\nhost: t\r\n\r\n"));
  const auto exchange = NextKept();
  ASSERT_TRUE(exchange);
  std::atomic<bool> closed{false};
  exchange->SetOnClosed([&closed] { closed = true; });
  server_->Stop();
  EXPECT_TRUE(closed);
  EXPECT_TRUE(client.ClosedWithin(5));
  server_.reset();
  exchange->Respond({});
  exchange->Post([] { FAIL() << "no thread is left to run this"; });
}

TEST(HttpServer, SaysWhichAddressItCannotHave) {
  const auto handler = [](const std::shared_ptr<HttpExchange>&) {};
  auto first = HttpServer::Start({.port = 0}, handler, Error);
  ASSERT_TRUE(first.ok());
  const auto second = HttpServer::Start({.port = (*first)->port()}, handler, Error);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("127.0.0.1 port " + std::to_string((*first)->port())));
  EXPECT_FALSE(HttpServer::Start({.host = "no.such.host.invalid", .port = 0}, handler, Error).ok());
}

}  // namespace
}  // namespace engram
