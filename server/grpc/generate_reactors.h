// SPDX-License-Identifier: Apache-2.0
// gRPC's ends of a generation: one collects the answer for Generate, the other writes it message by
// message for GenerateStream. Each deletes itself when gRPC is done with it.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "grpcpp/support/server_callback.h"
#include "proto/engram/v1/generation.pb.h"
#include "server/frontend.h"
#include "server/grpc/call_log.h"
#include "server/grpc/pb_convert.h"
#include "server/grpc/worker_pool.h"

namespace engram {

// What both kinds of call start from. Everything behind a pointer outlives the call.
struct GenerateArgs {
  const Frontend* frontend = nullptr;
  const pb::GenerateRequest* request = nullptr;
  grpc::CallbackServerContext* context = nullptr;
  WorkerPool* pool = nullptr;
  const CallLog* log = nullptr;
  CallInfo call;
};

grpc::ServerUnaryReactor* StartUnary(GenerateArgs args, pb::GenerateResponse* response);
grpc::ServerWriteReactor<pb::GenerateStreamResponse>* StartStream(GenerateArgs args);

// A stream that is refused before it began.
grpc::ServerWriteReactor<pb::GenerateStreamResponse>* RefuseStream(const grpc::Status& status);

}  // namespace engram
