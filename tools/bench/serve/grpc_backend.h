// SPDX-License-Identifier: Apache-2.0
// Streams from engram.v1.GenerationService. gRPC's own threads read the messages and take the
// times; the end of each request is handed to the event loop.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/engram/v1/generation.grpc.pb.h"
#include "tools/bench/serve/asio.h"
#include "tools/bench/serve/backend.h"
#include "tools/bench/serve/options.h"
#include "tools/bench/serve/run_clock.h"

namespace engram::bench {

class GrpcBackend final : public Backend {
 public:
  // `target`: "host:port". INVALID_ARGUMENT if --extra-body does not fit GenerateRequest. The
  // arguments must outlive the backend.
  static absl::StatusOr<std::unique_ptr<GrpcBackend>> Create(boost::asio::io_context& io,
                                                             const RunClock& clock,
                                                             const Options& options,
                                                             const std::string& target,
                                                             std::string model);

  void Start(const RequestSpec& request, RequestRecord* record,
             std::function<void()> done) override;

  // What the server lists; for models and vocabulary sizes before the run.
  absl::StatusOr<v1::ListModelsResponse> ListModels(double timeout_s) const;

 private:
  class Call;

  GrpcBackend(boost::asio::io_context& io, const RunClock& clock, const Options& options,
              std::string model)
      : io_(io), clock_(clock), options_(options), model_(std::move(model)) {}

  v1::GenerateRequest RequestOf(const RequestSpec& spec) const;
  void AddHeaders(grpc::ClientContext* context) const;

  boost::asio::io_context& io_;
  const RunClock& clock_;
  const Options& options_;
  const std::string model_;
  v1::GenerateRequest template_;  // what all requests have in common
  std::vector<std::unique_ptr<v1::GenerationService::Stub>> stubs_;
  std::size_t next_stub_ = 0;
};

}  // namespace engram::bench
