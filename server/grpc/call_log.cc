// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/call_log.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "server/grpc/grpc_status.h"

namespace engram {

CallLog::CallLog(const Clock* clock, MetricsRegistry* metrics) : clock_(clock), metrics_(metrics) {}

CallInfo CallLog::Begin(const char* method, std::string request_id) const {
  return {method, std::move(request_id), clock_->Now()};
}

void CallLog::End(const CallInfo& call, const grpc::Status& status, const Usage* usage) const {
  const std::string code = GrpcCodeName(status.error_code());
  // The name that other gRPC servers' dashboards use.
  metrics_
      ->AddCounter("grpc_server_handled_total", "gRPC calls by method and code.",
                   {{"grpc_method", call.method}, {"grpc_code", code}})
      ->Add();
  const std::chrono::duration<double, std::milli> took = clock_->Now() - call.started;
  const Usage used = usage != nullptr ? *usage : Usage();
  LOG_INFO("grpc {} {} {:.1f} ms prompt_tokens={} completion_tokens={} request_id={}", call.method,
           code, took.count(), used.prompt_tokens, used.completion_tokens, call.request_id);
}

}  // namespace engram
