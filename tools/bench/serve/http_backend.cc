// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/http_backend.h"

#include <chrono>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "tools/bench/serve/openai_request.h"
#include "tools/bench/serve/openai_stream.h"

namespace engram::bench {

namespace asio = boost::asio;
using asio::ip::tcp;

// Owned by its coroutine; the timer's handler holds it as well, to find it gone or not.
struct HttpBackend::Stream {
  Stream(asio::io_context& io, const AnswerChecker::Expectation& expected, RequestRecord* out)
      : record(out), checker(expected, out), events(&checker), deadline(io) {}

  RequestRecord* const record;
  AnswerChecker checker;
  OpenAiStream events;
  asio::steady_timer deadline;
  std::unique_ptr<HttpConnection> connection;
  std::string request;  // bytes to send
  int status = 0;
  std::string reason;      // of the status line
  std::string error_body;  // of an answer that is not 200
  bool timed_out = false;
  std::function<void()> done;
};

absl::StatusOr<std::unique_ptr<HttpBackend>> HttpBackend::Create(asio::io_context& io,
                                                                 const RunClock& clock,
                                                                 const Options& options,
                                                                 const HttpUrl& url,
                                                                 std::string model) {
  boost::system::error_code error;
  tcp::resolver resolver(io);
  auto endpoints = resolver.resolve(url.host, url.port, error);
  if (error) return absl::UnavailableError(absl::StrCat(url.host, ": ", error.message()));
  return std::unique_ptr<HttpBackend>(
      new HttpBackend(io, clock, options, url, std::move(model), std::move(endpoints)));
}

HttpBackend::HttpBackend(asio::io_context& io, const RunClock& clock, const Options& options,
                         HttpUrl url, std::string model, tcp::resolver::results_type endpoints)
    : io_(io),
      clock_(clock),
      options_(options),
      url_(std::move(url)),
      model_(std::move(model)),
      endpoints_(std::move(endpoints)) {}

void HttpBackend::Start(const RequestSpec& request, RequestRecord* record,
                        std::function<void()> done) {
  const AnswerChecker::Expectation expected{
      .prompt_tokens = static_cast<int>(request.token_ids.size()),
      .output_tokens = request.output_tokens,
      .exact_length = options_.sampling.ignore_eos,
      .done_marker = true};
  auto stream = std::make_shared<Stream>(io_, expected, record);
  HttpCall call{.path = options_.target.endpoint,
                .headers = options_.target.headers,
                .body = OpenAiBody(request, options_, model_)};
  call.headers.emplace_back("x-request-id", request.request_id);
  call.headers.emplace_back("accept", "text/event-stream");
  stream->request = SerialiseCall(url_, call);
  stream->done = std::move(done);
  asio::co_spawn(io_, Run(std::move(stream)), asio::detached);
}

HttpSink HttpBackend::SinkOf(Stream* stream) {
  return {.on_header =
              [stream](const HttpHead& head) {
                stream->status = head.status;
                stream->reason = head.reason;
                double seconds = 0;  // a date, the other form, is not read
                if (absl::SimpleAtod(ToAbsl(head.retry_after), &seconds) && seconds >= 0) {
                  stream->record->retry_after_s = seconds;
                }
              },
          .on_body =
              [this, stream](std::string_view bytes) {
                if (stream->status == 200) {
                  stream->events.Feed(clock_.Now(), bytes);
                } else {
                  stream->error_body += bytes;
                }
              }};
}

asio::awaitable<HttpEnd> HttpBackend::Send(Stream* stream) {
  // Twice, because a server may close a kept connection while the request is on its way; a fresh
  // one has no such excuse.
  const HttpSink sink = SinkOf(stream);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const bool reuse = attempt == 0 && !idle_.empty();
    if (reuse) {
      stream->connection = std::move(idle_.back());
      idle_.pop_back();
    } else {
      stream->connection = std::make_unique<HttpConnection>(io_);
      const absl::Status connected = co_await stream->connection->Connect(endpoints_);
      if (!connected.ok()) {
        stream->checker.Fail("connect_failed", Message(connected));
        co_return HttpEnd::kUntouched;
      }
    }
    const HttpEnd end = co_await stream->connection->Exchange(stream->request, sink);
    if (end != HttpEnd::kUntouched || !reuse || stream->timed_out) co_return end;
  }
  co_return HttpEnd::kUntouched;
}

void HttpBackend::Judge(HttpEnd end, Stream* stream) {
  AnswerChecker& checker = stream->checker;
  if (stream->timed_out) {
    checker.Fail("timeout", absl::StrCat("no complete answer within ",
                                         options_.target.request_timeout_s, " s"));
  } else if (stream->status != 0 && stream->status != 200) {
    checker.Fail(absl::StrCat("http_", stream->status),
                 absl::StrCat(stream->reason, ": ", ErrorMessage(stream->error_body)));
  } else if (end == HttpEnd::kMalformed) {
    checker.Fail("bad_stream", "the answer is not HTTP");
  } else if (end != HttpEnd::kComplete) {
    checker.Fail("lost_stream",
                 absl::StrCat("the connection ended after ", stream->record->messages.size(),
                              " messages of the answer"));
  }
  checker.Close(clock_.Now());
}

asio::awaitable<void> HttpBackend::Run(std::shared_ptr<Stream> stream) {
  stream->record->sent_s = clock_.Now();
  stream->deadline.expires_after(std::chrono::microseconds(
      static_cast<std::int64_t>(options_.target.request_timeout_s * 1e6)));
  stream->deadline.async_wait([weak = std::weak_ptr<Stream>(stream)](auto error) {
    const auto late = weak.lock();
    if (error || late == nullptr) return;
    late->timed_out = true;
    if (late->connection != nullptr) late->connection->Close();
  });
  const HttpEnd end = co_await Send(stream.get());
  stream->deadline.cancel();
  Judge(end, stream.get());
  if (stream->connection->reusable()) idle_.push_back(std::move(stream->connection));
  stream->done();
}

}  // namespace engram::bench
