// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/http_client.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace engram::bench {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kReadBytes = 64 * 1024;

// Feeds the parser what is buffered and passes on what it makes of it. False: not HTTP.
bool ParseBuffered(boost::beast::flat_buffer& buffer,
                   http::response_parser<http::string_body>& parser, bool& header_seen,
                   const HttpSink& sink) {
  while (buffer.size() > 0 && !parser.is_done()) {
    ErrorCode error;
    const std::size_t used = parser.put(buffer.data(), error);
    buffer.consume(used);
    if (error && error != http::error::need_more) return false;
    if (parser.is_header_done() && !header_seen) {
      header_seen = true;
      const auto& head = parser.get();
      const auto reason = head.reason();
      const auto retry_after = head[http::field::retry_after];
      sink.on_header({.status = static_cast<int>(head.result_int()),
                      .reason = {reason.data(), reason.size()},
                      .retry_after = {retry_after.data(), retry_after.size()}});
    }
    std::string& body = parser.get().body();
    if (!body.empty()) sink.on_body(body);
    body.clear();
    if (error == http::error::need_more) break;
  }
  return true;
}

asio::awaitable<void> FetchInto(asio::io_context& io, const HttpUrl& url, const HttpCall& call,
                                std::optional<absl::StatusOr<HttpAnswer>>* out) {
  ErrorCode error;
  tcp::resolver resolver(io);
  const auto endpoints = co_await resolver.async_resolve(
      url.host, url.port, asio::redirect_error(asio::use_awaitable, error));
  if (error) {
    *out = absl::UnavailableError(absl::StrCat(url.host, ": ", error.message()));
    co_return;
  }
  HttpConnection connection(io);
  const absl::Status connected = co_await connection.Connect(endpoints);
  if (!connected.ok()) {
    *out = connected;
    co_return;
  }
  HttpAnswer answer;
  const HttpSink sink{.on_header =
                          [&answer](const HttpHead& head) {
                            answer.status = head.status;
                            answer.reason = std::string(head.reason);
                          },
                      .on_body = [&answer](std::string_view bytes) { answer.body += bytes; }};
  const std::string request = SerialiseCall(url, call);
  const HttpEnd end = co_await connection.Exchange(request, sink);
  if (end == HttpEnd::kComplete) {
    *out = std::move(answer);
  } else {
    *out = absl::UnavailableError(absl::StrCat(call.path, ": the answer is not complete"));
  }
}

}  // namespace

absl::StatusOr<HttpUrl> ParseHttpUrl(const std::string& url) {
  const std::string scheme = "http://";
  if (url.rfind(scheme, 0) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", url, "': expected http://HOST:PORT (TLS is not spoken)"));
  }
  HttpUrl out;
  const std::size_t path = url.find('/', scheme.size());
  std::string place = url.substr(scheme.size(), path - scheme.size());
  if (path != std::string::npos) out.path = url.substr(path);
  while (!out.path.empty() && out.path.back() == '/') out.path.pop_back();
  const std::size_t colon = place.rfind(':');
  const bool has_port = colon != std::string::npos && place.find(']', colon) == std::string::npos;
  out.port = has_port ? place.substr(colon + 1) : "80";
  out.host = has_port ? place.substr(0, colon) : place;
  if (out.host.size() > 2 && out.host.front() == '[') {
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  if (out.host.empty() || out.port.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("'", url, "': expected http://HOST:PORT"));
  }
  return out;
}

std::string SerialiseCall(const HttpUrl& url, const HttpCall& call) {
  std::string out = absl::StrCat(call.method, " ", url.path, call.path, " HTTP/1.1\r\nhost: ",
                                 url.host, ":", url.port, "\r\n");
  for (const auto& [name, value] : call.headers) absl::StrAppend(&out, name, ": ", value, "\r\n");
  if (!call.body.empty()) {
    absl::StrAppend(&out, "content-type: application/json\r\ncontent-length: ", call.body.size(),
                    "\r\n");
  }
  absl::StrAppend(&out, "\r\n", call.body);
  return out;
}

asio::awaitable<absl::Status> HttpConnection::Connect(
    const tcp::resolver::results_type& endpoints) {
  ErrorCode error;
  co_await asio::async_connect(socket_, endpoints,
                               asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return absl::UnavailableError(error.message());
  socket_.set_option(tcp::no_delay(true), error);
  co_return absl::OkStatus();
}

asio::awaitable<HttpEnd> HttpConnection::Exchange(const std::string& request,
                                                  const HttpSink& sink) {
  reusable_ = false;
  ErrorCode error;
  co_await asio::async_write(socket_, asio::buffer(request),
                             asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return HttpEnd::kUntouched;
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  // Not boost::none, which Boost 1.74 takes for zero when the answer states its length.
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  bool header_seen = false;
  bool touched = false;
  while (!parser.is_done()) {
    const std::size_t count = co_await socket_.async_read_some(
        buffer_.prepare(kReadBytes), asio::redirect_error(asio::use_awaitable, error));
    buffer_.commit(count);
    touched |= count > 0;
    if (!ParseBuffered(buffer_, parser, header_seen, sink)) co_return HttpEnd::kMalformed;
    if (parser.is_done()) break;
    if (error == asio::error::eof && touched) {
      // Only a body without a stated length may end so.
      ErrorCode at_end;
      parser.put_eof(at_end);
      if (at_end || !parser.is_done()) co_return HttpEnd::kCut;
    } else if (error) {
      co_return touched ? HttpEnd::kCut : HttpEnd::kUntouched;
    }
  }
  reusable_ = parser.keep_alive() && error != asio::error::eof;
  co_return HttpEnd::kComplete;
}

void HttpConnection::Close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

absl::StatusOr<HttpAnswer> FetchHttp(const HttpUrl& url, const HttpCall& call, double timeout_s) {
  asio::io_context io(1);
  std::optional<absl::StatusOr<HttpAnswer>> out;
  asio::co_spawn(io, FetchInto(io, url, call, &out), asio::detached);
  io.run_for(std::chrono::milliseconds(static_cast<std::int64_t>(timeout_s * 1000)));
  if (!out) return absl::DeadlineExceededError(absl::StrCat(call.path, ": no answer in time"));
  return *std::move(out);
}

}  // namespace engram::bench
