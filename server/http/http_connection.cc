// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_connection.h"

#include <algorithm>
#include <cctype>

#include "base/log.h"
#include "server/http/http_exchange.h"
#include "server/http/http_message.h"

namespace engram::http_internal {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

// How much of the requests to come is taken in while one is answered. A client that sends more is
// read no further, and whether it leaves is then seen only by writing to it.
constexpr std::size_t kReadAheadBytesMax = 64 << 10;
// After a refusal the client may still be sending. Closing at once would reset the connection and
// take the answer away from it, so the rest is read and thrown away, within these bounds.
constexpr std::chrono::seconds kLingerTime{2};
constexpr std::size_t kLingerBytesMax = 32 << 20;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

Connection::Connection(std::shared_ptr<Core> core, asio::ip::tcp::socket socket, Strand strand)
    : core_(std::move(core)),
      strand_(std::move(strand)),
      socket_(std::move(socket)),
      read_timer_(strand_),
      write_timer_(strand_) {}

Connection::~Connection() {
  CountBody(0);
  std::lock_guard lock(core_->connections_mutex);
  core_->connections.erase(this);
}

void Connection::Start(bool refuse) {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  if (refuse) return Refuse(503, "too many open connections, try again later");
  NextRequest();
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  const bool unanswered = phase_ == Phase::kAnswering && answer_ != Answer::kComplete;
  phase_ = Phase::kClosed;
  DisarmTimer(&read_timer_, &read_round_);
  DisarmTimer(&write_timer_, &write_round_);
  error_code ignored;
  socket_.close(ignored);
  if (!unanswered) return;
  if (const auto exchange = exchange_.lock()) exchange->OnGone();
}

void Connection::CloseIfIdle() {
  if (phase_ == Phase::kHead && !request_begun_) Close();
}

// ---- Reading ----

void Connection::Read() {
  if (reading_ || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kAnswering && in_.size() >= kReadAheadBytesMax) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(chunk_),
                          [self = shared_from_this()](error_code error, std::size_t bytes) {
                            self->OnRead(error, bytes);
                          });
}

void Connection::OnRead(error_code error, std::size_t bytes) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (error) {
    // The client has gone. What is on its way to it is still sent if it was complete.
    const bool flushing = phase_ == Phase::kAnswering && answer_ == Answer::kComplete;
    if (!flushing || error != asio::error::eof) return Close();
    keep_alive_ = false;
    return;
  }
  if (phase_ == Phase::kLingering) {
    discarded_bytes_ += bytes;
    return discarded_bytes_ > kLingerBytesMax ? Close() : Read();
  }
  in_.append(chunk_.data(), bytes);
  if (phase_ == Phase::kAnswering) return Read();
  Parse();
}

// Takes in_ as far as it goes: to the end of the request, or to where more is needed.
void Connection::Parse() {
  // Many small chunks are taken one by one; in_ is moved up once, after all of them.
  std::size_t taken = 0;
  error_code error;
  while (!error && taken < in_.size() && (phase_ == Phase::kHead || phase_ == Phase::kBody)) {
    if (!request_begun_ && !BeginRequest(&taken)) break;
    taken += parser_->put(asio::buffer(in_.data() + taken, in_.size() - taken), error);
    if (error) break;
    if (phase_ == Phase::kHead && parser_->is_header_done()) OnHead(taken == in_.size());
    if (phase_ == Phase::kBody && parser_->is_done()) break;
  }
  in_.erase(0, taken);
  if (phase_ == Phase::kBody) CountBody(parser_->get().body().size());
  if (phase_ == Phase::kBody && body_bytes_ > 0 &&
      core_->body_bytes > core_->options.buffered_bytes_max) {
    return Refuse(503, "too many large requests at once, try again later");
  }
  if (phase_ == Phase::kBody && parser_->is_done()) return OnRequest();
  if (error && error != http::error::need_more) return RefuseFor(error);
  // The parser bounds the head and the body's data, but not the line before a chunk.
  if (phase_ == Phase::kBody && in_.size() > core_->options.header_bytes_max) {
    return Refuse(400, "invalid HTTP request: a chunk's header is too long");
  }
  Read();
}

// Skips empty lines before a request (RFC 9112, 2.2); false if there is nothing else yet.
bool Connection::BeginRequest(std::size_t* taken) {
  while (in_.compare(*taken, 2, "\r\n") == 0) *taken += 2;
  const std::size_t left = in_.size() - *taken;
  if (left == 0 || (left == 1 && in_.back() == '\r')) return false;
  request_begun_ = true;
  ArmTimer(&read_timer_, &read_round_, core_->options.header_timeout, &Connection::OnTooSlow);
  return true;
}

void Connection::OnHead(bool all_parsed) {
  const auto& message = parser_->get();
  is_head_request_ = message.method() == http::verb::head;
  if (message.target().size() > limits::kHttpTargetBytesMax) {
    return Refuse(414, "the request's target is too long");
  }
  if (message.version() == 11 && message.count(http::field::host) != 1) {
    return Refuse(400, "an HTTP/1.1 request needs exactly one Host field");
  }
  // A length that is not understood could hide a second request from whatever stands before us.
  const auto encoding = message.find(http::field::transfer_encoding);
  if (encoding != message.end() && Lower(View(encoding->value())) != "chunked") {
    return Refuse(501, "the only transfer coding that is understood is 'chunked'");
  }
  phase_ = Phase::kBody;
  ArmTimer(&read_timer_, &read_round_, core_->options.body_timeout, &Connection::OnTooSlow);
  const auto expect = message.find(http::field::expect);
  if (expect == message.end() || message.version() < 11) return;
  if (Lower(View(expect->value())) != "100-continue") {
    return Refuse(417, "the only expectation that is understood is '100-continue'");
  }
  if (!parser_->is_done() && all_parsed) Send("HTTP/1.1 100 Continue\r\n\r\n");
}

void Connection::OnRequest() {
  DisarmTimer(&read_timer_, &read_round_);
  phase_ = Phase::kAnswering;
  answer_ = Answer::kNone;
  auto message = parser_->release();
  chunked_ = message.version() == 11;
  keep_alive_ = message.version() == 11 && message.keep_alive();

  HttpRequest request;
  request.method = View(message.method_string());
  request.target = View(message.target());
  SplitTarget(&request);
  for (const auto& field : message) {
    request.headers.emplace_back(Lower(View(field.name_string())), View(field.value()));
  }
  request.body = std::move(message.body());
  Read();
  auto exchange =
      std::make_shared<Exchange>(shared_from_this(), ++exchange_number_, std::move(request));
  exchange_ = exchange;
  core_->handler(std::move(exchange));
}

// What the request in hand has of a body; it counts until the next request begins.
void Connection::CountBody(std::size_t bytes) {
  core_->body_bytes += bytes - body_bytes_;
  body_bytes_ = bytes;
}

void Connection::NextRequest() {
  CountBody(0);
  phase_ = Phase::kHead;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_->options.header_bytes_max));
  parser_->body_limit(core_->options.body_bytes_max);
  request_begun_ = false;
  is_head_request_ = false;
  const Duration wait =
      exchange_number_ == 0 ? core_->options.header_timeout : core_->options.idle_timeout;
  ArmTimer(&read_timer_, &read_round_, wait, &Connection::OnTooSlow);
  Parse();
}

// Answers what never became a request, and closes after it.
void Connection::Refuse(int status, const std::string& message) {
  DisarmTimer(&read_timer_, &read_round_);
  phase_ = Phase::kAnswering;
  parser_.reset();  // and what it has of a body
  CountBody(0);
  ++exchange_number_;
  exchange_.reset();
  keep_alive_ = false;
  HttpResponse response = core_->error_body(status, message);
  response.status = status;
  SendWhole(response);
}

void Connection::RefuseFor(error_code error) {
  if (error == http::error::header_limit) {
    const bool in_first_line = parser_->get().target().empty();
    if (in_first_line) return Refuse(414, "the request's target is too long");
    return Refuse(431, "the request's header fields are too large");
  }
  if (error == http::error::body_limit) {
    return Refuse(413, "the request's body is larger than " +
                           std::to_string(core_->options.body_bytes_max) + " bytes");
  }
  Refuse(400, "invalid HTTP request: " + error.message());
}

void Connection::OnTooSlow() {
  if (!request_begun_) return phase_ == Phase::kHead ? Close() : void();
  Refuse(408, phase_ == Phase::kBody ? "the request's body did not arrive in time"
                                     : "the request's head did not arrive in time");
}

// ---- Answering ----

void Connection::Respond(std::uint64_t exchange, const HttpResponse& response) {
  if (IsCurrent(exchange) && answer_ == Answer::kNone) SendWhole(response);
}

void Connection::StartStream(std::uint64_t exchange, const HttpResponse& head) {
  if (!IsCurrent(exchange) || answer_ != Answer::kNone) return;
  if (!chunked_) keep_alive_ = false;  // the end of an HTTP/1.0 body is the connection's
  if (core_->draining) keep_alive_ = false;
  answer_ = Answer::kStreaming;
  Send(MessageHead(head, chunked_ ? BodyFraming::kChunked : BodyFraming::kUntilClose, keep_alive_));
}

void Connection::Write(std::uint64_t exchange, const std::string& chunk) {
  if (!IsCurrent(exchange) || answer_ != Answer::kStreaming || is_head_request_) return;
  chunked_ ? Send(BodyChunk(chunk)) : Send(chunk);
}

void Connection::End(std::uint64_t exchange) {
  if (!IsCurrent(exchange) || answer_ != Answer::kStreaming) return;
  if (chunked_ && !is_head_request_) Send(kLastChunk);
  Complete();
}

// The handler lost its exchange. Half a stream can only be cut; a missing answer is our fault.
void Connection::OnDropped(std::uint64_t exchange) {
  if (!IsCurrent(exchange) || answer_ == Answer::kComplete) return;
  if (answer_ == Answer::kStreaming) return Close();
  LOG_ERROR("an HTTP request was dropped without an answer");
  SendWhole(core_->error_body(500, "the server lost this request"));
}

void Connection::SendWhole(const HttpResponse& response) {
  if (core_->draining) keep_alive_ = false;
  Send(MessageHead(response, BodyFraming::kLength, keep_alive_));
  if (!is_head_request_) Send(response.body);
  Complete();
}

void Connection::Complete() {
  answer_ = Answer::kComplete;
  if (const auto exchange = exchange_.lock()) exchange->OnComplete();
  exchange_.reset();
  if (queued_bytes_ == 0) OnFlushed();
}

// ---- Writing ----

void Connection::Send(std::string_view bytes) {
  queued_.append(bytes);
  queued_bytes_ += bytes.size();
  Flush();
}

void Connection::Flush() {
  if (writing_ || phase_ == Phase::kClosed) return;
  if (sent_ == sending_.size()) {
    sending_.clear();
    sent_ = 0;
    std::swap(sending_, queued_);
  }
  if (sending_.empty()) return;
  writing_ = true;
  ArmTimer(&write_timer_, &write_round_, core_->options.write_stall_timeout, &Connection::Close);
  socket_.async_write_some(asio::buffer(sending_.data() + sent_, sending_.size() - sent_),
                           [self = shared_from_this()](error_code error, std::size_t bytes) {
                             self->OnWritten(error, bytes);
                           });
}

void Connection::OnWritten(error_code error, std::size_t bytes) {
  writing_ = false;
  if (phase_ == Phase::kClosed) return;
  if (error) return Close();
  sent_ += bytes;
  queued_bytes_ -= bytes;
  if (queued_bytes_ > 0) return Flush();
  DisarmTimer(&write_timer_, &write_round_);
  OnFlushed();
}

void Connection::OnFlushed() {
  if (phase_ != Phase::kAnswering) return;  // an interim 100 Continue
  if (answer_ == Answer::kStreaming) {
    const auto exchange = exchange_.lock();
    if (exchange && posted_bytes_ == 0) exchange->OnDrained();
  }
  if (answer_ != Answer::kComplete) return;
  keep_alive_ ? NextRequest() : Linger();
}

void Connection::Linger() {
  phase_ = Phase::kLingering;
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  ArmTimer(&read_timer_, &read_round_, kLingerTime, &Connection::Close);
  Read();
}

// ---- Timers ----

// Cancelling a timer does not call back a wait that has already expired and is on its way to the
// strand; the round tells it that it is late.
void Connection::ArmTimer(asio::steady_timer* timer, std::uint64_t* round, Duration after,
                          void (Connection::*expired)()) {
  timer->expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(after));
  timer->async_wait(
      [self = shared_from_this(), round, armed = ++*round, expired](error_code error) {
        if (!error && armed == *round && self->phase_ != Phase::kClosed) (self.get()->*expired)();
      });
}

void Connection::DisarmTimer(asio::steady_timer* timer, std::uint64_t* round) {
  ++*round;
  timer->cancel();
}

}  // namespace engram::http_internal
