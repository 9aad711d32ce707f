// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/grpc_backend.h"

#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tools/bench/serve/answer_checker.h"

namespace engram::bench {
namespace {

const char* CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {
      "OK",           "CANCELLED",          "UNKNOWN",           "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED", "NOT_FOUND",     "ALREADY_EXISTS",    "PERMISSION_DENIED",
      "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",    "OUT_OF_RANGE",
      "UNIMPLEMENTED", "INTERNAL",          "UNAVAILABLE",       "DATA_LOSS",
      "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

const char* FinishName(v1::FinishReason reason) {
  if (reason == v1::FINISH_REASON_STOP) return "stop";
  if (reason == v1::FINISH_REASON_LENGTH) return "length";
  return reason == v1::FINISH_REASON_TIME_LIMIT ? "time_limit" : "aborted";
}

// How long the server asks to be left alone, as gRPC's own retries read it.
std::optional<double> Pushback(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find("grpc-retry-pushback-ms");
  if (found == trailers.end()) return std::nullopt;
  double ms = 0;
  const bool read = absl::SimpleAtod({found->second.data(), found->second.size()}, &ms);
  return read && ms >= 0 ? std::optional(ms / 1000) : std::nullopt;  // negative: never
}

v1::GenerateRequest SamplingRequest(const SamplingOptions& sampling) {
  v1::GenerateRequest out;
  if (sampling.temperature) out.set_temperature(static_cast<float>(*sampling.temperature));
  if (sampling.top_p) out.set_top_p(static_cast<float>(*sampling.top_p));
  if (sampling.top_k) out.set_top_k(*sampling.top_k);
  if (sampling.min_p) out.set_min_p(static_cast<float>(*sampling.min_p));
  if (sampling.frequency_penalty) {
    out.set_frequency_penalty(static_cast<float>(*sampling.frequency_penalty));
  }
  if (sampling.presence_penalty) {
    out.set_presence_penalty(static_cast<float>(*sampling.presence_penalty));
  }
  if (sampling.repetition_penalty) {
    out.set_repetition_penalty(static_cast<float>(*sampling.repetition_penalty));
  }
  if (sampling.logprobs) out.set_logprobs(*sampling.logprobs);
  out.set_ignore_eos(sampling.ignore_eos);
  return out;
}

}  // namespace

// One stream; deletes itself when gRPC is done with it.
class GrpcBackend::Call final : public grpc::ClientReadReactor<v1::GenerateStreamResponse> {
 public:
  Call(GrpcBackend* backend, const AnswerChecker::Expectation& expected, RequestRecord* record,
       std::function<void()> done)
      : backend_(backend), record_(record), checker_(expected, record), done_(std::move(done)) {}

  void Begin(v1::GenerationService::Stub* stub, v1::GenerateRequest request) {
    request_ = std::move(request);
    backend_->AddHeaders(&context_);
    context_.set_deadline(std::chrono::system_clock::now() +
                          std::chrono::microseconds(static_cast<std::int64_t>(
                              backend_->options_.target.request_timeout_s * 1e6)));
    stub->async()->GenerateStream(&context_, &request_, this);
    record_->sent_s = backend_->clock_.Now();
    StartRead(&message_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    const double at_s = backend_->clock_.Now();
    checker_.OnId(message_.request_id());
    for (const v1::Choice& choice : message_.choices()) {
      checker_.OnMessage(at_s, choice.text(), choice.token_ids_size());
      if (choice.finish_reason() != v1::FINISH_REASON_UNSPECIFIED) {
        checker_.OnFinishReason(FinishName(choice.finish_reason()));
      }
    }
    if (message_.has_usage()) {
      checker_.OnUsage(message_.usage().prompt_tokens(), message_.usage().completion_tokens());
    }
    StartRead(&message_);
  }

  void OnDone(const grpc::Status& status) override {
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      checker_.Fail("timeout", status.error_message());
    } else if (!status.ok()) {
      record_->retry_after_s = Pushback(context_);
      checker_.Fail(absl::StrCat("grpc_", CodeName(status.error_code())), status.error_message());
    }
    checker_.Close(backend_->clock_.Now());
    boost::asio::post(backend_->io_, std::move(done_));
    delete this;
  }

 private:
  GrpcBackend* const backend_;
  RequestRecord* const record_;
  AnswerChecker checker_;
  std::function<void()> done_;
  grpc::ClientContext context_;
  v1::GenerateRequest request_;
  v1::GenerateStreamResponse message_;
};

absl::StatusOr<std::unique_ptr<GrpcBackend>> GrpcBackend::Create(boost::asio::io_context& io,
                                                                 const RunClock& clock,
                                                                 const Options& options,
                                                                 const std::string& target,
                                                                 std::string model) {
  std::unique_ptr<GrpcBackend> out(new GrpcBackend(io, clock, options, std::move(model)));
  out->template_ = SamplingRequest(options.sampling);
  v1::GenerateRequest extra;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      options.sampling.extra_body.dump(), &extra);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--extra-body: ", std::string(parsed.message())));
  }
  out->template_.MergeFrom(extra);
  for (int i = 0; i < options.target.grpc_channels; ++i) {
    grpc::ChannelArguments arguments;
    // Else channels to the same address share one connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    out->stubs_.push_back(v1::GenerationService::NewStub(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments)));
  }
  return out;
}

void GrpcBackend::AddHeaders(grpc::ClientContext* context) const {
  for (const auto& [name, value] : options_.target.headers) {
    context->AddMetadata(absl::AsciiStrToLower(name), value);
  }
}

v1::GenerateRequest GrpcBackend::RequestOf(const RequestSpec& spec) const {
  v1::GenerateRequest out = template_;
  out.set_model(model_);
  out.set_request_id(spec.request_id);
  out.set_max_tokens(spec.output_tokens);
  if (!spec.token_ids.empty()) {
    out.mutable_token_ids()->mutable_ids()->Assign(spec.token_ids.begin(), spec.token_ids.end());
  } else if (!spec.messages.empty()) {
    for (const ChatTurn& turn : spec.messages) {
      v1::ChatMessage* message = out.mutable_chat()->add_messages();
      message->set_role(turn.role);
      message->set_content(turn.content);
    }
  } else {
    out.set_prompt(spec.prompt);
  }
  return out;
}

void GrpcBackend::Start(const RequestSpec& request, RequestRecord* record,
                        std::function<void()> done) {
  const AnswerChecker::Expectation expected{
      .prompt_tokens = static_cast<int>(request.token_ids.size()),
      .output_tokens = request.output_tokens,
      .exact_length = options_.sampling.ignore_eos};
  auto* call = new Call(this, expected, record, std::move(done));
  call->Begin(stubs_[next_stub_].get(), RequestOf(request));
  next_stub_ = (next_stub_ + 1) % stubs_.size();
}

absl::StatusOr<v1::ListModelsResponse> GrpcBackend::ListModels(double timeout_s) const {
  grpc::ClientContext context;
  AddHeaders(&context);
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(static_cast<std::int64_t>(timeout_s * 1000)));
  v1::ListModelsResponse response;
  const grpc::Status status = stubs_.front()->ListModels(&context, {}, &response);
  if (status.ok()) return response;
  return absl::UnavailableError(
      absl::StrCat("ListModels: ", CodeName(status.error_code()), ": ", status.error_message()));
}

}  // namespace engram::bench
