// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/generation_service.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/field_error.h"
#include "base/status_macros.h"
#include "config/limits.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/pb_convert.h"

namespace engram {
namespace {

std::string Metadata(const grpc::CallbackServerContext& context, const char* name) {
  const auto found = context.client_metadata().find(name);
  if (found == context.client_metadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

std::string RandomPrefix() {
  std::random_device random;
  return absl::StrFormat("grpc-%08x", random());
}

void FillModel(const std::string& name, const Frontend& frontend, pb::Model* model) {
  const RequestLimits& limits = frontend.options().limits;
  model->set_name(name);
  model->set_max_model_len(limits.max_model_len);
  model->set_vocab_size(limits.vocab_size);
  model->set_has_engram(limits.has_engram);
}

absl::Status Tokenized(const pb::TokenizeRequest& request, const Frontend& frontend,
                       pb::TokenizeResponse* response) {
  RETURN_IF_ERROR(frontend.CheckModel(request.model()));
  ASSIGN_OR_RETURN(const Prompt prompt, ToPrompt(request));
  const auto ids = frontend.Tokenize(prompt, request.has_add_special_tokens()
                                                 ? std::optional(request.add_special_tokens())
                                                 : std::nullopt);
  if (!ids.ok()) return WithProtoField(ids.status(), request.input_case());
  response->mutable_token_ids()->Assign(ids->begin(), ids->end());
  response->set_max_model_len(frontend.options().limits.max_model_len);
  return absl::OkStatus();
}

absl::Status Detokenized(const pb::DetokenizeRequest& request, const Frontend& frontend,
                         pb::DetokenizeResponse* response) {
  RETURN_IF_ERROR(frontend.CheckModel(request.model()));
  const std::vector<std::int32_t> ids(request.token_ids().begin(), request.token_ids().end());
  auto text = frontend.Detokenize(ids);
  if (!text.ok()) return WithDetokenizeField(text.status());
  response->set_text(*std::move(text));
  return absl::OkStatus();
}

}  // namespace

GenerationService::GenerationService(ApiKeys keys, std::string version, WorkerPool* pool,
                                     const Clock* clock, MetricsRegistry* metrics)
    : keys_(std::move(keys)),
      version_(std::move(version)),
      pool_(pool),
      log_(clock, metrics),
      id_prefix_(RandomPrefix()) {}

absl::Status GenerationService::CheckKey(const grpc::CallbackServerContext& context) const {
  if (keys_.Accepts(Metadata(context, "authorization"))) return absl::OkStatus();
  return absl::UnauthenticatedError(
      "metadata 'authorization' must be 'Bearer ' and a key that the server knows");
}

absl::StatusOr<const Frontend*> GenerationService::Admit(
    const grpc::CallbackServerContext& context) const {
  RETURN_IF_ERROR(CheckKey(context));
  const Frontend* const frontend = frontend_;
  if (frontend == nullptr) {
    return WithErrorCode(absl::UnavailableError("the model is still loading"), "loading");
  }
  return frontend;
}

absl::StatusOr<std::string> GenerationService::RequestId(const grpc::CallbackServerContext& context,
                                                         const std::string& from_request) {
  const std::string id = from_request.empty() ? Metadata(context, "x-request-id") : from_request;
  if (id.empty()) return absl::StrCat(id_prefix_, "-", next_id_++);
  const bool printable =
      std::all_of(id.begin(), id.end(), [](unsigned char c) { return absl::ascii_isprint(c); });
  if (!printable || id.size() > limits::kRequestIdBytesMax) {
    return InvalidField("request_id", absl::StrCat("must be at most ", limits::kRequestIdBytesMax,
                                                   " bytes of printable ASCII"));
  }
  return id;
}

absl::StatusOr<GenerateArgs> GenerationService::Begin(const char* method,
                                                      grpc::CallbackServerContext* context,
                                                      const pb::GenerateRequest* request) {
  GenerateArgs args;
  ASSIGN_OR_RETURN(args.frontend, Admit(*context));
  ASSIGN_OR_RETURN(std::string id, RequestId(*context, request->request_id()));
  args.request = request;
  args.context = context;
  args.pool = pool_;
  args.log = &log_;
  args.call = log_.Begin(method, std::move(id));
  return args;
}

grpc::Status GenerationService::Refuse(const char* method, grpc::CallbackServerContext* context,
                                       const absl::Status& status) const {
  const grpc::Status out = ToGrpcStatus(status);
  AddRetryPushback(status, context);
  log_.End(log_.Begin(method, ""), out, nullptr);
  return out;
}

grpc::ServerUnaryReactor* GenerationService::Generate(grpc::CallbackServerContext* context,
                                                      const pb::GenerateRequest* request,
                                                      pb::GenerateResponse* response) {
  auto args = Begin("Generate", context, request);
  if (args.ok()) return StartUnary(*std::move(args), response);
  auto* const reactor = context->DefaultReactor();
  reactor->Finish(Refuse("Generate", context, args.status()));
  return reactor;
}

grpc::ServerWriteReactor<pb::GenerateStreamResponse>* GenerationService::GenerateStream(
    grpc::CallbackServerContext* context, const pb::GenerateRequest* request) {
  auto args = Begin("GenerateStream", context, request);
  if (args.ok()) return StartStream(*std::move(args));
  return RefuseStream(Refuse("GenerateStream", context, args.status()));
}

grpc::ServerUnaryReactor* GenerationService::RunOnPool(
    const char* method, grpc::CallbackServerContext* context,
    std::function<absl::Status(const Frontend&)> work) {
  auto* const reactor = context->DefaultReactor();
  const auto frontend = Admit(*context);
  if (!frontend.ok()) {
    reactor->Finish(Refuse(method, context, frontend.status()));
    return reactor;
  }
  const CallInfo call = log_.Begin(method, Metadata(*context, "x-request-id"));
  pool_->Post([this, reactor, call, frontend = *frontend, work = std::move(work)] {
    const grpc::Status status = ToGrpcStatus(work(*frontend));
    log_.End(call, status, nullptr);
    reactor->Finish(status);
  });
  return reactor;
}

grpc::ServerUnaryReactor* GenerationService::Tokenize(grpc::CallbackServerContext* context,
                                                      const pb::TokenizeRequest* request,
                                                      pb::TokenizeResponse* response) {
  return RunOnPool("Tokenize", context, [request, response](const Frontend& frontend) {
    return Tokenized(*request, frontend, response);
  });
}

grpc::ServerUnaryReactor* GenerationService::Detokenize(grpc::CallbackServerContext* context,
                                                        const pb::DetokenizeRequest* request,
                                                        pb::DetokenizeResponse* response) {
  return RunOnPool("Detokenize", context, [request, response](const Frontend& frontend) {
    return Detokenized(*request, frontend, response);
  });
}

grpc::ServerUnaryReactor* GenerationService::ListModels(grpc::CallbackServerContext* context,
                                                        const pb::ListModelsRequest*,
                                                        pb::ListModelsResponse* response) {
  return RunOnPool("ListModels", context, [response](const Frontend& frontend) {
    const FrontendOptions& options = frontend.options();
    FillModel(options.model_name, frontend, response->add_models());
    for (const std::string& alias : options.model_aliases) {
      FillModel(alias, frontend, response->add_models());
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* GenerationService::GetServerInfo(grpc::CallbackServerContext* context,
                                                           const pb::GetServerInfoRequest*,
                                                           pb::GetServerInfoResponse* response) {
  auto* const reactor = context->DefaultReactor();
  if (const absl::Status status = CheckKey(*context); !status.ok()) {
    reactor->Finish(Refuse("GetServerInfo", context, status));
    return reactor;
  }
  response->set_version(version_);
  response->set_state(pb::SERVER_STATE_LOADING);
  if (const Frontend* const frontend = frontend_; frontend != nullptr) {
    const EngineStats stats = frontend->engine().stats();
    response->set_state(draining_ ? pb::SERVER_STATE_DRAINING : pb::SERVER_STATE_SERVING);
    response->set_running_sequences(stats.running_sequences);
    response->set_waiting_requests(stats.waiting_requests);
    response->set_waiting_tokens(stats.waiting_tokens);
    response->set_cache_blocks_total(stats.blocks_total);
    response->set_cache_blocks_used(stats.blocks_used);
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace engram
