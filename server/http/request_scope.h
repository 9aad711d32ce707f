// SPDX-License-Identifier: Apache-2.0
// One request on its way through the API: its id, which every answer echoes, and what is counted
// and logged about it once it is over.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "server/http/http_server.h"
#include "server/status_mapping.h"

namespace engram {

// The body of an error, the same for every route.
HttpResponse ErrorResponse(const HttpError& error);

// An HTTP exchange with a name. The API answers through it and not directly. Thread-safe as the
// exchange is; the last owner to let go ends the request.
class RequestScope {
 public:
  // `route` is the label of metrics: a route's path, or "none".
  RequestScope(std::shared_ptr<HttpExchange> exchange, std::string route, MetricsRegistry* metrics,
               const Clock* clock);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

  const HttpRequest& request() const { return exchange_->request(); }
  HttpExchange& exchange() { return *exchange_; }
  const std::shared_ptr<HttpExchange>& shared_exchange() { return exchange_; }

  // X-Request-Id, or what the body says, or made up; in that order.
  const std::string& id() const { return id_; }
  void SetIdFromBody(const std::string& id);

  void Respond(HttpResponse response);
  void RespondError(const absl::Status& status) { RespondError(ToHttpError(status)); }
  void RespondError(const HttpError& error) { Respond(ErrorResponse(error)); }
  void StartStream(HttpResponse head);
  // The client has gone; what was answered so far does not count.
  void SetGone() { status_ = 499; }

 private:
  const std::shared_ptr<HttpExchange> exchange_;
  const std::string route_;
  MetricsRegistry* const metrics_;
  const Clock* const clock_;
  const TimePoint start_;
  std::string id_;
  bool id_from_header_ = false;
  int status_ = 0;  // 0: not answered
};

}  // namespace engram
