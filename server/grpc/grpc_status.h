// SPDX-License-Identifier: Apache-2.0
// The server's errors as gRPC statuses. absl's codes are gRPC's; on top come the details that
// proto/engram/v1/generation.proto promises: field, reason, when to try again.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace engram {

grpc::Status ToGrpcStatus(const absl::Status& status);

// For a refused client: trailing metadata "grpc-retry-pushback-ms", if trying again helps.
void AddRetryPushback(const absl::Status& status, grpc::ServerContextBase* context);

// "OK", "INVALID_ARGUMENT", …
std::string GrpcCodeName(grpc::StatusCode code);

}  // namespace engram
