// SPDX-License-Identifier: Apache-2.0
#include "server/http/admin_api.h"

#include "server/http/json_writer.h"
#include "server/http/process_metrics.h"

namespace engram {
namespace {

HttpError NotReady(ServerPhase phase) {
  const bool loading = phase == ServerPhase::kLoading;
  HttpError error =
      HttpErrorFor(503, loading ? "the model is being loaded" : "the server is shutting down");
  error.reason = loading ? "server_loading" : "server_draining";
  return error;
}

HttpError Stuck(const EngineStats& stats) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(stats.since_last_step);
  HttpError error = HttpErrorFor(503, "the engine has work but has made no step for " +
                                          std::to_string(seconds.count()) + " s");
  error.reason = "engine_stuck";
  error.retry_later = false;
  return error;
}

HttpResponse Status(std::string_view word) {
  JsonWriter json;
  json.BeginObject().StringField("status", word).EndObject();
  return {.status = 200, .headers = {}, .body = json.Take()};
}

}  // namespace

bool AdminApi::IsStuck(const std::optional<EngineStats>& stats) const {
  return stats.has_value() && stats->has_work && stats->since_last_step > options_.watchdog;
}

void AdminApi::Live(const Scope& scope, const std::optional<EngineStats>& stats) const {
  if (IsStuck(stats)) return scope->RespondError(Stuck(*stats));
  scope->Respond(Status("live"));
}

void AdminApi::Ready(const Scope& scope, ServerPhase phase) const {
  if (phase != ServerPhase::kReady) return scope->RespondError(NotReady(phase));
  scope->Respond(Status("ready"));
}

void AdminApi::Health(const Scope& scope, ServerPhase phase,
                      const std::optional<EngineStats>& stats) const {
  if (IsStuck(stats)) return scope->RespondError(Stuck(*stats));
  if (phase != ServerPhase::kReady) return scope->RespondError(NotReady(phase));
  scope->Respond({.status = 200, .headers = {}, .content_type = "", .body = ""});
}

void AdminApi::Version(const Scope& scope) const {
  JsonWriter json;
  json.BeginObject().StringField("version", options_.version).EndObject();
  scope->Respond({.status = 200, .headers = {}, .body = json.Take()});
}

void AdminApi::Load(const Scope& scope, int in_flight) const {
  JsonWriter json;
  json.BeginObject().IntegerField("server_load", in_flight).EndObject();
  scope->Respond({.status = 200, .headers = {}, .body = json.Take()});
}

void AdminApi::Metrics(const Scope& scope) const {
  scope->Respond({.status = 200,
                  .headers = {},
                  .content_type = "text/plain; version=0.0.4; charset=utf-8",
                  .body = metrics_->RenderPrometheus() + RenderProcessMetrics()});
}

}  // namespace engram
