// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/generate_reactors.h"

#include <utility>

#include "base/status_macros.h"
#include "server/grpc/generate_call.h"
#include "server/grpc/grpc_status.h"

namespace engram {
namespace {

GenerateCall::Starter MakeStarter(const GenerateArgs& args) {
  return [frontend = args.frontend, request = args.request,
          id = args.call.request_id]() -> absl::StatusOr<std::unique_ptr<TextGeneration>> {
    RETURN_IF_ERROR(frontend->CheckModel(request->model()));
    ASSIGN_OR_RETURN(GenerateParams params, ToGenerateParams(*request, frontend->DefaultRequest()));
    params.request.id = id;
    auto generation = frontend->Generate(std::move(params));
    if (!generation.ok()) return WithProtoField(generation.status(), request->input_case());
    return generation;
  };
}

// What a call ends with: in the log, in trailing metadata, for the client.
grpc::Status Close(const GenerateArgs& args, const absl::Status& status,
                   const TextGeneration* generation) {
  const grpc::Status out = ToGrpcStatus(status);
  AddRetryPushback(status, args.context);
  if (generation != nullptr) {
    const Usage usage = generation->usage();
    args.log->End(args.call, out, &usage);
  } else {
    args.log->End(args.call, out, nullptr);
  }
  return out;
}

const PromptResult* PromptOf(const std::vector<TextDelta>& deltas) {
  for (const TextDelta& delta : deltas) {
    if (delta.prompt != nullptr) return delta.prompt.get();
  }
  return nullptr;
}

// The prompt's part of an answer, once: with the first deltas.
class PromptPart {
 public:
  explicit PromptPart(const ResponseShape& shape) : shape_(shape) {}

  // True if `info` was filled in.
  bool Fill(const std::vector<TextDelta>& deltas, const TextGeneration& generation,
            pb::PromptInfo* info) {
    if (std::exchange(done_, true)) return false;
    if (!shape_.prompt_token_ids && !shape_.prompt_logprobs && !shape_.gates) return false;
    FillPromptInfo(generation.prompt_tokens(0), PromptOf(deltas), shape_, info);
    return true;
  }

 private:
  const ResponseShape shape_;
  bool done_ = false;
};

class UnaryReactor final : public grpc::ServerUnaryReactor, public AnswerSink {
 public:
  UnaryReactor(GenerateArgs args, pb::GenerateResponse* response)
      : args_(std::move(args)),
        shape_(ShapeOf(*args_.request)),
        prompt_(shape_),
        response_(response),
        call_(std::make_shared<GenerateCall>(args_.pool, this, MakeStarter(args_))) {
    call_->Start();
  }

 private:
  void OnCancel() override { call_->Cancel(); }
  void OnDone() override { delete this; }

  bool Take(std::vector<TextDelta> deltas, const TextGeneration& generation) override {
    while (response_->choices_size() < generation.choices()) {
      response_->add_choices()->set_index(response_->choices_size() - 1);
    }
    pb::PromptInfo info;
    if (prompt_.Fill(deltas, generation, &info)) *response_->mutable_prompt() = std::move(info);
    for (const TextDelta& delta : deltas) {
      AppendDelta(delta, shape_, response_->mutable_choices(delta.choice));
    }
    return false;
  }

  void End(const absl::Status& status, const TextGeneration* generation) override {
    if (status.ok()) {
      response_->set_request_id(args_.call.request_id);
      response_->set_model(args_.frontend->options().model_name);
      FillUsage(generation->usage(), response_->mutable_usage());
    }
    Finish(Close(args_, status, generation));
  }

  const GenerateArgs args_;
  const ResponseShape shape_;
  PromptPart prompt_;
  pb::GenerateResponse* const response_;
  const std::shared_ptr<GenerateCall> call_;  // owners: this, and events under way
};

class StreamReactor final : public grpc::ServerWriteReactor<pb::GenerateStreamResponse>,
                            public AnswerSink {
 public:
  explicit StreamReactor(GenerateArgs args)
      : args_(std::move(args)),
        shape_(ShapeOf(*args_.request)),
        prompt_(shape_),
        call_(std::make_shared<GenerateCall>(args_.pool, this, MakeStarter(args_))) {
    call_->Start();
  }

 private:
  void OnWriteDone(bool ok) override { call_->WriteDone(ok); }
  void OnCancel() override { call_->Cancel(); }
  void OnDone() override { delete this; }

  bool Take(std::vector<TextDelta> deltas, const TextGeneration& generation) override {
    message_.Clear();
    message_.set_request_id(args_.call.request_id);
    message_.set_model(args_.frontend->options().model_name);
    pb::PromptInfo info;
    if (prompt_.Fill(deltas, generation, &info)) *message_.mutable_prompt() = std::move(info);
    for (const TextDelta& delta : deltas) AppendDelta(delta, shape_, ChoiceOf(delta.choice));
    if (generation.finished()) FillUsage(generation.usage(), message_.mutable_usage());
    StartWrite(&message_);
    return true;
  }

  void End(const absl::Status& status, const TextGeneration* generation) override {
    Finish(Close(args_, status, generation));
  }

  // The message's entry for a choice: several deltas of one choice become one.
  pb::Choice* ChoiceOf(int index) {
    for (pb::Choice& choice : *message_.mutable_choices()) {
      if (choice.index() == index) return &choice;
    }
    return message_.add_choices();
  }

  const GenerateArgs args_;
  const ResponseShape shape_;
  PromptPart prompt_;
  pb::GenerateStreamResponse message_;        // gRPC reads it until OnWriteDone
  const std::shared_ptr<GenerateCall> call_;  // owners: this, and events under way
};

class RefusedStream final : public grpc::ServerWriteReactor<pb::GenerateStreamResponse> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerUnaryReactor* StartUnary(GenerateArgs args, pb::GenerateResponse* response) {
  return new UnaryReactor(std::move(args), response);
}

grpc::ServerWriteReactor<pb::GenerateStreamResponse>* StartStream(GenerateArgs args) {
  return new StreamReactor(std::move(args));
}

grpc::ServerWriteReactor<pb::GenerateStreamResponse>* RefuseStream(const grpc::Status& status) {
  return new RefusedStream(status);
}

}  // namespace engram
