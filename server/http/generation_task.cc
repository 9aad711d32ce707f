// SPDX-License-Identifier: Apache-2.0
#include "server/http/generation_task.h"

#include <utility>

#include "config/limits.h"
#include "server/http/sse.h"

namespace engram {

void GenerationTask::Start(std::shared_ptr<RequestScope> scope, AnswerContext context,
                           std::unique_ptr<TextGeneration> generation, InFlightCount* in_flight) {
  HttpExchange& exchange = scope->exchange();
  auto task = std::make_shared<GenerationTask>(std::move(scope), std::move(context),
                                               std::move(generation), in_flight);
  exchange.Post([task = std::move(task)] { task->Begin(); });
}

GenerationTask::GenerationTask(std::shared_ptr<RequestScope> scope, AnswerContext context,
                               std::unique_ptr<TextGeneration> generation, InFlightCount* in_flight)
    : scope_(std::move(scope)),
      context_(std::move(context)),
      in_flight_(in_flight),
      generation_(std::move(generation)) {
  ++*in_flight_;
  if (context_.request.stream) {
    streamed_.emplace(&context_, generation_->choices());
  } else {
    unary_.emplace(&context_, generation_->choices());
  }
}

// The exchange's callbacks own the task until the exchange ends; the generation's callback does
// not, as the task owns the generation.
void GenerationTask::Begin() {
  HttpExchange& exchange = scope_->exchange();
  exchange.SetOnClosed([self = shared_from_this()] { self->OnGone(); });
  exchange.SetOnDrained([self = shared_from_this()] { self->Pump(); });
  if (streamed_.has_value()) {
    // At once and not with the first token: proxies and clients wait for a head with less patience.
    scope_->StartStream({.status = 200,
                         .headers = {{"cache-control", "no-cache"}, {"x-accel-buffering", "no"}},
                         .content_type = std::string(kSseContentType),
                         .body = ""});
  }
  generation_->SetOnReady([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self) self->scope_->exchange().Post([self] { self->Pump(); });
  });
  Pump();
}

void GenerationTask::OnGone() {
  if (generation_ == nullptr) return;
  scope_->SetGone();
  generation_.reset();
}

void GenerationTask::Pump() {
  if (generation_ == nullptr) return;
  streamed_.has_value() ? PumpStream() : PumpUnary();
}

void GenerationTask::PumpUnary() {
  for (TextDelta& delta : generation_->Poll()) unary_->Add(std::move(delta));
  if (!generation_->finished()) return;
  if (unary_->aborted()) {
    HttpError error = HttpErrorFor(503, "the server stopped before the answer was complete");
    error.reason = "server_draining";
    scope_->RespondError(error);
  } else if (!unary_->error().empty()) {
    scope_->RespondError(absl::InternalError(unary_->error()));
  } else {
    scope_->Respond({.status = 200, .headers = {}, .body = unary_->Body(*generation_)});
  }
  generation_.reset();
}

void GenerationTask::PumpStream() {
  HttpExchange& exchange = scope_->exchange();
  // The client reads more slowly than the model writes. What is ready stays with the engine until
  // the socket has taken what it was given: on_drained comes back here.
  if (exchange.unsent_bytes() > limits::kStreamUnsentBytesMax) return;
  std::string events;
  for (const TextDelta& delta : generation_->Poll()) {
    // One chunk an event, so that every event is on the wire as its own.
    exchange.Write(streamed_->Events(delta, *generation_));
    if (delta.finish == FinishReason::kFailed) {
      exchange.Write(SseEvent(ErrorResponse(ToHttpError(absl::InternalError(delta.error))).body));
    }
  }
  if (!generation_->finished()) return;
  exchange.Write(streamed_->Tail(generation_->usage()));
  exchange.End();
  generation_.reset();
}

}  // namespace engram
