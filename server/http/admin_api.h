// SPDX-License-Identifier: Apache-2.0
// The routes for operators: is it alive, is it ready, how much does it have to do.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "engine/engine.h"
#include "server/http/request_scope.h"

namespace engram {

struct AdminApiOptions {
  std::string version;
  Duration watchdog = std::chrono::seconds(60);  // work but no step for so long: not alive
};

enum class ServerPhase { kLoading, kReady, kDraining };

// Thread-safe.
class AdminApi {
 public:
  using Scope = std::shared_ptr<RequestScope>;

  // `metrics` must outlive this.
  AdminApi(AdminApiOptions options, const MetricsRegistry* metrics)
      : options_(std::move(options)), metrics_(metrics) {}

  // `stats`: the engine's, if there is one yet.
  // Restart the process if this is not 200: the engine has work and makes no step.
  void Live(const Scope& scope, const std::optional<EngineStats>& stats) const;
  // Send no requests while this is not 200.
  void Ready(const Scope& scope, ServerPhase phase) const;
  // Both in one, for those who ask only once; an empty body if all is well, as vLLM's /health and
  // /ping.
  void Health(const Scope& scope, ServerPhase phase, const std::optional<EngineStats>& stats) const;
  void Version(const Scope& scope) const;
  void Load(const Scope& scope, int in_flight) const;
  void Metrics(const Scope& scope) const;

 private:
  bool IsStuck(const std::optional<EngineStats>& stats) const;

  const AdminApiOptions options_;
  const MetricsRegistry* const metrics_;
};

}  // namespace engram
