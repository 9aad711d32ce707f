// SPDX-License-Identifier: Apache-2.0
// A connection's HttpExchange: posts what the handler says to the connection's strand. Internal to
// the HTTP server.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "server/http/http_connection.h"

namespace engram::http_internal {

class Exchange final : public HttpExchange, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<Connection> connection, std::uint64_t number, HttpRequest request)
      : connection_(std::move(connection)), number_(number), request_(std::move(request)) {}
  ~Exchange() override;

  const HttpRequest& request() const override { return request_; }
  void Respond(HttpResponse response) override;
  void StartStream(HttpResponse head) override;
  void Write(std::string chunk) override;
  void End() override;
  std::size_t unsent_bytes() const override;
  void SetOnClosed(std::function<void()> on_closed) override;
  void SetOnDrained(std::function<void()> on_drained) override;
  void Post(std::function<void()> task) override;

  // On the strand, by the connection: the answer is complete, or the client has gone.
  void OnComplete();
  void OnGone();
  // On the strand, by the connection.
  void OnDrained();

 private:
  enum class State { kOpen, kComplete, kGone };

  void DropCallbacks();

  const std::shared_ptr<Connection> connection_;
  const std::uint64_t number_;
  const HttpRequest request_;

  // State below is used on the strand only.
  State state_ = State::kOpen;
  std::function<void()> on_closed_;
  std::function<void()> on_drained_;
};

}  // namespace engram::http_internal
