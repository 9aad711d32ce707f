// SPDX-License-Identifier: Apache-2.0
// A server that speaks as much of OpenAI's API as engram-bench asks for, and emits tokens at a
// known rate. It computes nothing, so that what a load shows is the client's own speed. One thread.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/bench/serve/asio.h"
#include "tools/bench/serve/metrics.h"

namespace engram::bench {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Request = http::request<http::string_body>;

struct Pace {
  int port = 8000;
  double first_ms = 10;
  double gap_ms = 20;
};

// What the server did, to tell whether it kept its own pace.
struct Work {
  std::vector<double> late_ms;  // of each token: when it was sent, less when it was due
  std::int64_t streams = 0;
};

std::string Chunk(const std::string& event) {
  const std::string data = absl::StrCat("data: ", event, "\n\n");
  return absl::StrCat(absl::StrFormat("%x", data.size()), "\r\n", data, "\r\n");
}

std::string TokenChunk(const std::string& id, int token, bool last) {
  return Chunk(absl::StrCat(
      R"({"id":")", id, R"(","object":"text_completion","created":1,"model":"paced","choices":[{)",
      R"("index":0,"text":" word","logprobs":null,"finish_reason":)", last ? "\"length\"" : "null",
      R"(,"token_ids":[)", token, "]}]}"));
}

std::string LastChunks(const std::string& id, std::size_t prompt_tokens, int tokens) {
  return absl::StrCat(Chunk(absl::StrCat(R"({"id":")", id, R"(","choices":[],"usage":)",
                                         R"({"prompt_tokens":)", prompt_tokens,
                                         R"(,"completion_tokens":)", tokens, "}}")),
                      Chunk("[DONE]"), "0\r\n\r\n");
}

constexpr char kStreamHead[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

// False: the client is gone.
asio::awaitable<bool> Write(tcp::socket& socket, const std::string& bytes) {
  boost::system::error_code error;
  co_await asio::async_write(socket, asio::buffer(bytes),
                             asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

asio::awaitable<bool> Stream(tcp::socket& socket, const Request& request, const Pace& pace,
                             Work* work) {
  const nlohmann::json body = nlohmann::json::parse(request.body(), nullptr, false);
  if (!body.is_object() || !body.contains("prompt")) co_return false;
  const int tokens = body.value("max_tokens", 16);
  const std::string id = absl::StrCat("cmpl-", ++work->streams);
  asio::steady_timer timer(socket.get_executor());
  Clock::time_point due = Clock::now();
  for (int token = 0; token < tokens; ++token) {
    const double wait_ms = token == 0 ? pace.first_ms : pace.gap_ms;
    due += std::chrono::microseconds(static_cast<std::int64_t>(wait_ms * 1000));
    timer.expires_at(due);
    co_await timer.async_wait(asio::use_awaitable);
    std::string bytes = TokenChunk(id, token, token + 1 == tokens);
    if (token == 0) bytes.insert(0, kStreamHead);
    if (token + 1 == tokens) bytes += LastChunks(id, body["prompt"].size(), tokens);
    const std::chrono::duration<double, std::milli> late = Clock::now() - due;
    work->late_ms.push_back(late.count());
    if (!co_await Write(socket, bytes)) co_return false;
  }
  co_return true;
}

asio::awaitable<void> Serve(tcp::socket socket, const Pace& pace, Work* work) {
  boost::system::error_code error;
  socket.set_option(tcp::no_delay(true), error);
  boost::beast::flat_buffer buffer;
  for (;;) {
    Request request;
    co_await http::async_read(socket, buffer, request,
                              asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    bool alive = true;
    if (request.target() == "/v1/models") {
      alive = co_await Write(socket,
                             "HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n"
                             R"({"data":[{"id":"paced"}]})");
    } else if (request.target() == "/v1/completions") {
      alive = co_await Stream(socket, request, pace, work);
    } else {
      alive = co_await Write(socket, "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}");
    }
    if (!alive) co_return;
  }
}

asio::awaitable<void> Accept(tcp::acceptor& acceptor, const Pace& pace, Work* work) {
  for (;;) {
    boost::system::error_code error;
    tcp::socket socket = co_await acceptor.async_accept(
        asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    asio::co_spawn(acceptor.get_executor(), Serve(std::move(socket), pace, work), asio::detached);
  }
}

int Run(const Pace& pace) {
  asio::io_context io(1);
  boost::system::error_code error;
  tcp::acceptor acceptor(io, tcp::v4());
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(pace.port)}, error);
  if (!error) acceptor.listen(4096, error);
  if (error) {
    std::fprintf(stderr, "paced_server: port %d: %s\n", pace.port, error.message().c_str());
    return 1;
  }
  Work work;
  asio::co_spawn(io, Accept(acceptor, pace, &work), asio::detached);
  asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&io](auto, int) { io.stop(); });
  std::printf("Port %d: a token every %g ms\n", acceptor.local_endpoint().port(), pace.gap_ms);
  std::fflush(stdout);
  io.run();
  const Distribution late = Summarise(std::move(work.late_ms), {99});
  std::printf("%d streams; tokens left %.2f ms late at the median, %.2f ms at p99; CPU %.1f s\n",
              static_cast<int>(work.streams), late.median, late.percentiles[0].second,
              static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  return 0;
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) {
  engram::bench::Pace pace;
  CLI::App app("Emits tokens at a known rate, to measure engram-bench itself.", "paced_server");
  app.add_option("--port", pace.port, "On 127.0.0.1; 0: any. Default: 8000");
  app.add_option("--first-ms", pace.first_ms, "Request to first token. Default: 10");
  app.add_option("--gap-ms", pace.gap_ms, "Between tokens of a stream. Default: 20")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return engram::bench::Run(pace);
}
