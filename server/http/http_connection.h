// SPDX-License-Identifier: Apache-2.0
// One client connection: reads requests, hands each to the handler as an exchange, writes the
// answers in order, and keeps the limits and timeouts. Internal to the HTTP server.
//
// Everything but the exchange's own functions runs on the connection's strand. A read is pending at
// all times, also while an answer is computed: that is how a client that leaves is noticed, and how
// pipelined requests are taken in (up to a limit) until their turn comes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "server/http/asio.h"
#include "server/http/http_server.h"

namespace engram::http_internal {

using Strand = boost::asio::strand<boost::asio::io_context::executor_type>;

class Connection;
class Exchange;

// What the connections of one server share. Owners: the server, its connections and the exchanges
// that handlers still hold, so that an exchange may outlive its server.
struct Core {
  HttpServerOptions options;
  HttpHandler handler;
  HttpErrorBody error_body;
  boost::asio::io_context io;
  std::atomic<bool> draining{false};       // connections close after their answer
  std::atomic<std::size_t> body_bytes{0};  // of requests being read or answered

  // Runs `task` on `strand`; drops it once the server has stopped.
  template <typename Task>
  void Post(const Strand& strand, Task task) {
    std::shared_lock lock(stop_mutex);
    if (!stopped) boost::asio::post(strand, std::move(task));
  }

  std::shared_mutex stop_mutex;
  bool stopped = false;  // protected by stop_mutex

  std::mutex connections_mutex;
  // Protected by connections_mutex.
  std::unordered_map<Connection*, std::weak_ptr<Connection>> connections;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Core> core, boost::asio::ip::tcp::socket socket, Strand strand);
  ~Connection();

  // Begins to serve, or with `refuse` answers that there is no room and closes. Call once, on the
  // strand.
  void Start(bool refuse);
  // On the strand: closes at once; whoever is being served has "gone".
  void Close();
  // On the strand: closes if no request has begun.
  void CloseIfIdle();

  const Strand& strand() const { return strand_; }
  Core& core() { return *core_; }

 private:
  friend class Exchange;
  enum class Phase { kHead, kBody, kAnswering, kLingering, kClosed };
  enum class Answer { kNone, kStreaming, kComplete };
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  // Reading.
  void Read();
  void OnRead(boost::system::error_code error, std::size_t bytes);
  void Parse();
  bool BeginRequest(std::size_t* taken);
  void OnHead(bool all_parsed);
  void OnRequest();
  void NextRequest();
  void CountBody(std::size_t bytes);
  void Refuse(int status, const std::string& message);
  void RefuseFor(boost::system::error_code error);
  void OnTooSlow();

  // Answering, on behalf of exchange number `exchange`.
  bool IsCurrent(std::uint64_t exchange) const {
    return phase_ == Phase::kAnswering && exchange == exchange_number_;
  }
  void Respond(std::uint64_t exchange, const HttpResponse& response);
  void StartStream(std::uint64_t exchange, const HttpResponse& head);
  void Write(std::uint64_t exchange, const std::string& chunk);
  void End(std::uint64_t exchange);
  void OnDropped(std::uint64_t exchange);
  void SendWhole(const HttpResponse& response);
  void Complete();

  // Writing.
  void Send(std::string_view bytes);
  void Flush();
  void OnWritten(boost::system::error_code error, std::size_t bytes);
  void OnFlushed();
  void Linger();

  void ArmTimer(boost::asio::steady_timer* timer, std::uint64_t* round, Duration after,
                void (Connection::*expired)());
  void DisarmTimer(boost::asio::steady_timer* timer, std::uint64_t* round);

  // Constant after construction.
  const std::shared_ptr<Core> core_;
  const Strand strand_;

  // State below is used on the strand only.
  boost::asio::ip::tcp::socket socket_;
  Phase phase_ = Phase::kHead;
  boost::asio::steady_timer read_timer_;
  boost::asio::steady_timer write_timer_;
  std::uint64_t read_round_ = 0;  // which arming of the timer counts
  std::uint64_t write_round_ = 0;

  bool reading_ = false;
  std::array<char, 8192> chunk_;  // of the pending read
  std::string in_;                // read and not parsed
  std::optional<Parser> parser_;
  bool request_begun_ = false;  // a byte of it has come
  std::size_t body_bytes_ = 0;  // this connection's part of Core::body_bytes
  std::size_t discarded_bytes_ = 0;

  std::uint64_t exchange_number_ = 0;
  std::weak_ptr<Exchange> exchange_;
  Answer answer_ = Answer::kNone;
  bool is_head_request_ = false;
  bool chunked_ = false;
  bool keep_alive_ = true;

  bool writing_ = false;
  std::string sending_;   // with the socket
  std::size_t sent_ = 0;  // of sending_
  std::string queued_;    // after sending_

  // Used by any thread: bytes in exchange calls that the strand has not come to, and in sending_
  // and queued_.
  std::atomic<std::size_t> posted_bytes_{0};
  std::atomic<std::size_t> queued_bytes_{0};
};

}  // namespace engram::http_internal
