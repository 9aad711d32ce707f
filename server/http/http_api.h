// SPDX-License-Identifier: Apache-2.0
// All HTTP routes: who may come in, which route it is, and whether the request has the form that
// the route needs; then openai_api or admin_api answers. Serves from the first moment on: before
// the model is loaded the operators' routes work and the others say 503.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "server/api_keys.h"
#include "server/frontend.h"
#include "server/http/admin_api.h"
#include "server/http/http_server.h"
#include "server/http/openai_api.h"

namespace engram {

struct HttpApiOptions {
  AdminApiOptions admin;
  ApiKeys keys;
  bool open_metrics = true;  // /metrics needs no key
};

// Thread-safe.
class HttpApi {
 public:
  // `metrics` and `clock` must outlive this, and this the HTTP server that calls it.
  HttpApi(HttpApiOptions options, MetricsRegistry* metrics, const Clock* clock);

  // The model is there: from now on requests are served. Call once. `frontend` must outlive this.
  void StartServing(OpenAiApiOptions options, const Frontend* frontend);
  // From now on the server says that it is not ready. (That new requests are refused is the
  // engine's.)
  void BeginDrain();

  // The server's handler and its maker of error bodies.
  void Handle(std::shared_ptr<HttpExchange> exchange);
  static HttpResponse ErrorBody(int status, const std::string& message);

 private:
  struct Route;
  using Scope = std::shared_ptr<RequestScope>;

  static const Route* FindRoute(std::string_view path);
  void Dispatch(const Route& route, std::string_view path, const Scope& scope);
  void DispatchOpenAi(const Route& route, std::string_view path, const Scope& scope);
  bool IsAllowedIn(const Route* route, const HttpRequest& request) const;
  ServerPhase phase() const;
  std::optional<EngineStats> engine_stats() const;

  const HttpApiOptions options_;
  MetricsRegistry* const metrics_;
  const Clock* const clock_;
  const AdminApi admin_;
  std::unique_ptr<OpenAiApi> openai_;  // made by StartServing, then constant
  // Used by any thread.
  std::atomic<OpenAiApi*> serving_{nullptr};  // openai_, once it is there
  std::atomic<bool> draining_{false};
};

}  // namespace engram
