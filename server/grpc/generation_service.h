// SPDX-License-Identifier: Apache-2.0
// engram.v1.GenerationService over the frontend. Callback API: a call costs no thread, waiting or
// running. Before SetFrontend every method but GetServerInfo answers UNAVAILABLE.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "proto/engram/v1/generation.grpc.pb.h"
#include "server/api_keys.h"
#include "server/frontend.h"
#include "server/grpc/call_log.h"
#include "server/grpc/generate_reactors.h"
#include "server/grpc/worker_pool.h"

namespace engram {

// Thread-safe.
class GenerationService final : public engram::v1::GenerationService::CallbackService {
 public:
  // All but `keys` must outlive the service.
  GenerationService(ApiKeys keys, std::string version, WorkerPool* pool, const Clock* clock,
                    MetricsRegistry* metrics);

  // The model is loaded. `frontend` must outlive all calls.
  void SetFrontend(const Frontend* frontend) { frontend_ = frontend; }
  // GetServerInfo says so from now on; the engine itself refuses new requests.
  void SetDraining() { draining_ = true; }

  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* context,
                                     const pb::GenerateRequest* request,
                                     pb::GenerateResponse* response) override;
  grpc::ServerWriteReactor<pb::GenerateStreamResponse>* GenerateStream(
      grpc::CallbackServerContext* context, const pb::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const pb::TokenizeRequest* request,
                                     pb::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context,
                                       const pb::DetokenizeRequest* request,
                                       pb::DetokenizeResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const pb::ListModelsRequest* request,
                                       pb::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const pb::GetServerInfoRequest* request,
                                          pb::GetServerInfoResponse* response) override;

 private:
  absl::Status CheckKey(const grpc::CallbackServerContext& context) const;
  // The frontend, if the call may use it.
  absl::StatusOr<const Frontend*> Admit(const grpc::CallbackServerContext& context) const;
  // The client's request id, or a new one. InvalidArgument if it cannot be put into a log line.
  absl::StatusOr<std::string> RequestId(const grpc::CallbackServerContext& context,
                                        const std::string& from_request);
  absl::StatusOr<GenerateArgs> Begin(const char* method, grpc::CallbackServerContext* context,
                                     const pb::GenerateRequest* request);
  // Runs `work` on the pool and ends the call with what it returns.
  grpc::ServerUnaryReactor* RunOnPool(const char* method, grpc::CallbackServerContext* context,
                                      std::function<absl::Status(const Frontend&)> work);
  // Logs, and gives the status that the client gets.
  grpc::Status Refuse(const char* method, grpc::CallbackServerContext* context,
                      const absl::Status& status) const;

  const ApiKeys keys_;
  const std::string version_;
  WorkerPool* const pool_;
  const CallLog log_;
  const std::string id_prefix_;  // of request ids that this process makes

  std::atomic<const Frontend*> frontend_{nullptr};
  std::atomic<bool> draining_{false};
  std::atomic<std::uint64_t> next_id_{0};
};

}  // namespace engram
