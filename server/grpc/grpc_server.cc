// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/grpc_server.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "config/limits.h"
#include "grpc/support/log.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "server/grpc/generation_service.h"
#include "server/grpc/worker_pool.h"

namespace engram {
namespace {

// The server asks a silent client whether it is still there, so that one that vanished without a
// word (a cable, a machine) frees its request's memory.
constexpr std::chrono::milliseconds kKeepaliveInterval = std::chrono::seconds(30);
constexpr std::chrono::milliseconds kKeepaliveTimeout = std::chrono::seconds(20);
constexpr int kMetadataBytesMax = 16 << 10;
// How long cancelled calls get to say so to their clients.
constexpr std::chrono::milliseconds kStopGrace{200};

void LogFromGrpc(gpr_log_func_args* args) {
  if (args->severity == GPR_LOG_SEVERITY_ERROR) {
    LOG_WARNING("grpc: {}", args->message);
  } else {
    LOG_DEBUG("grpc: {}", args->message);
  }
}

std::string Address(const std::string& host, int port) {
  const bool ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  return ipv6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

void SetLimits(grpc::ServerBuilder* builder) {
  const auto milliseconds = [](std::chrono::milliseconds d) { return static_cast<int>(d.count()); };
  builder->SetMaxReceiveMessageSize(limits::kGrpcMessageBytesMax);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits::kGrpcConcurrentStreamsMax);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  // Clients' keep-alive pings; by default more than one in five minutes ends the connection.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              milliseconds(limits::kGrpcPingIntervalMin));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(kKeepaliveInterval));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(kKeepaliveTimeout));
  // Without this a second server could share the port, and get half of the clients.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

class GrpcServerImpl final : public GrpcServer {
 public:
  GrpcServerImpl(const GrpcServerOptions& options, ApiKeys keys, const Clock* clock,
                 MetricsRegistry* metrics)
      : pool_(options.threads),
        service_(std::move(keys), options.version, &pool_, clock, metrics) {}

  ~GrpcServerImpl() override { Stop(); }

  absl::Status Listen(const GrpcServerOptions& options) {
    const std::string address = Address(options.host, options.port);
    grpc::ServerBuilder builder;
    SetLimits(&builder);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return absl::UnavailableError(absl::StrCat("cannot listen for gRPC on ", address,
                                                 ": is the port taken, or no address of this "
                                                 "machine? Try another --grpc-port or --host"));
    }
    SetHealth(false);
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void Serve(const Frontend* frontend) override {
    service_.SetFrontend(frontend);
    SetHealth(true);
  }

  void BeginDrain() override {
    service_.SetDraining();
    SetHealth(false);
  }

  void Stop() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + kStopGrace);
  }

 private:
  // For the whole server ("") and the service by name.
  void SetHealth(bool serving) {
    grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
    health->SetServingStatus("", serving);
    health->SetServingStatus(engram::v1::GenerationService::service_full_name(), serving);
  }

  // Destroyed in the opposite order: first the server, which ends all calls, then what they use.
  WorkerPool pool_;
  GenerationService service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options,
                                                              ApiKeys keys, const Clock* clock,
                                                              MetricsRegistry* metrics) {
  // The library keeps these for the whole process.
  gpr_set_log_function(LogFromGrpc);
  grpc::EnableDefaultHealthCheckService(true);
  if (options.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  auto server = std::make_unique<GrpcServerImpl>(options, std::move(keys), clock, metrics);
  if (const absl::Status status = server->Listen(options); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace engram
