// SPDX-License-Identifier: Apache-2.0
// The gRPC port: the generation service, standard health, reflection, limits and keep-alive.
// Listens from the start; serves once the model is there.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "server/api_keys.h"
#include "server/frontend.h"

namespace engram {

struct GrpcServerOptions {
  std::string host = "127.0.0.1";
  int port = 8001;  // 0 = any free one
  int threads = 2;  // for the text work of calls
  bool reflection = true;
  std::string version;
};

// Thread-safe.
class GrpcServer {
 public:
  // Unavailable, naming host and port, if the address cannot be bound. `clock` and `metrics` must
  // outlive the server.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options,
                                                           ApiKeys keys, const Clock* clock,
                                                           MetricsRegistry* metrics);
  virtual ~GrpcServer() = default;  // as Stop
  virtual int port() const = 0;

  // The model is loaded: healthy from now on. `frontend` must outlive the server.
  virtual void Serve(const Frontend* frontend) = 0;
  // Unhealthy from now on; calls go on.
  virtual void BeginDrain() = 0;
  // Takes no new calls, cancels those that still run, ends all threads.
  virtual void Stop() = 0;
};

}  // namespace engram
