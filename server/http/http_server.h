// SPDX-License-Identifier: Apache-2.0
// Sockets, HTTP/1.1, limits and timeouts. The only file pair that sees the HTTP library; what to
// answer is the handler's business. Asynchronous: an idle stream costs a socket, not a thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/limits.h"

namespace engram {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;   // "GET"
  std::string target;   // as sent
  std::string path;     // target up to '?'
  std::string query;    // after '?'
  HttpHeaders headers;  // names in lower case
  std::string body;

  // First header of that (lower-case) name, or "".
  std::string_view Header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;
  std::string content_type = "application/json";
  std::string body;
};

// Answers one request: with Respond, or with StartStream, Write… and End. Thread-safe; calls after
// the client has gone or the answer is complete do nothing. The handler may keep it and answer
// later from any thread; an exchange that is dropped unanswered is answered with 500.
//
// A client that closes its sending side while it waits has gone: HTTP/1.1 cannot tell "I have sent
// everything" from "I have left", and computing for nobody is the worse mistake. An answer that was
// complete before is still sent.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  virtual const HttpRequest& request() const = 0;
  virtual void Respond(HttpResponse response) = 0;

  // A body in chunks (Transfer-Encoding: chunked). `response.body` is ignored.
  virtual void StartStream(HttpResponse head) = 0;
  virtual void Write(std::string chunk) = 0;
  virtual void End() = 0;
  // Bytes written but not yet taken by the socket.
  virtual std::size_t unsent_bytes() const = 0;

  // Called once when the client has gone, or stopped reading for too long, before the answer was
  // complete; also if that happened already. From then on nothing is sent. Both callbacks may hold
  // the exchange: they are dropped when it has ended.
  virtual void SetOnClosed(std::function<void()> on_closed) = 0;
  // Called when unsent_bytes() has fallen to 0 after a Write. Set before StartStream.
  virtual void SetOnDrained(std::function<void()> on_drained) = 0;
  // Runs `task` on one of the server's threads, never at the same time as another task, on_closed
  // or on_drained of this exchange.
  virtual void Post(std::function<void()> task) = 0;
};

// Called on a server thread as soon as the request is complete; must not block for long.
using HttpHandler = std::function<void(std::shared_ptr<HttpExchange>)>;
// Makes the body of an answer to what never reaches the handler: broken HTTP, too large, too slow.
using HttpErrorBody = std::function<HttpResponse(int status, const std::string& message)>;

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 8000;  // 0 = any free one
  int threads = 2;
  // Ceilings; other than the defaults only in tests.
  int connections_max = limits::kHttpConnectionsMax;
  std::size_t header_bytes_max = limits::kHttpHeaderBytesMax;
  std::size_t body_bytes_max = limits::kHttpBodyBytesMax;
  std::size_t buffered_bytes_max = limits::kHttpBufferedBytesMax;  // bodies of all connections
  Duration header_timeout = limits::kHttpHeaderTimeout;            // a head, from its first byte on
  Duration body_timeout = limits::kHttpBodyTimeout;
  Duration idle_timeout = limits::kHttpIdleTimeout;  // between two requests
  Duration write_stall_timeout = limits::kHttpWriteStallTimeout;
};

// Thread-safe.
class HttpServer {
 public:
  // Unavailable, naming host and port, if the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                           HttpHandler handler,
                                                           HttpErrorBody error_body);
  virtual ~HttpServer() = default;  // as Stop
  virtual int port() const = 0;
  // Closes the listening socket and idle connections; open exchanges go on, their connections close
  // after the answer.
  virtual void StopAccepting() = 0;
  // Ends all connections and threads. Exchanges that a handler still holds have ended then.
  // REQUIRES: not called from one of the server's threads.
  virtual void Stop() = 0;
  virtual int open_connections() const = 0;
};

}  // namespace engram
