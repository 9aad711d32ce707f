// SPDX-License-Identifier: Apache-2.0
// What is left of a gRPC call when it is over: a line in the log and a count in the metrics.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "grpcpp/support/status.h"
#include "server/frontend.h"

namespace engram {

// What a call is known by while it lasts.
struct CallInfo {
  const char* method = "";
  std::string request_id;
  TimePoint started;
};

// Thread-safe.
class CallLog {
 public:
  // Both must outlive this.
  CallLog(const Clock* clock, MetricsRegistry* metrics);

  CallInfo Begin(const char* method, std::string request_id) const;
  // `usage` is null if nothing was generated.
  void End(const CallInfo& call, const grpc::Status& status, const Usage* usage) const;

 private:
  const Clock* const clock_;
  MetricsRegistry* const metrics_;
};

}  // namespace engram
