// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/generate_call.h"

#include <utility>

namespace engram {

GenerateCall::GenerateCall(WorkerPool* pool, AnswerSink* sink, Starter starter)
    : pool_(pool), sink_(sink), starter_(std::move(starter)) {}

void GenerateCall::Start() { Note(kStart); }

void GenerateCall::WriteDone(bool ok) { Note(ok ? kWritten : kWritten | kCancelled); }

void GenerateCall::Cancel() { Note(kCancelled); }

void GenerateCall::Note(unsigned events) {
  {
    std::lock_guard lock(mutex_);
    noted_ |= events;
    if (scheduled_) return;
    scheduled_ = true;
  }
  pool_->Post([self = shared_from_this()] { self->Run(); });
}

void GenerateCall::Run() {
  unsigned events = 0;
  {
    std::lock_guard lock(mutex_);
    events = std::exchange(noted_, 0);
  }
  Handle(events);
  {
    std::lock_guard lock(mutex_);
    scheduled_ = noted_ != 0;
    if (!scheduled_) return;
  }
  // At the end of the pool's queue: a call with much to say does not hold up the others.
  pool_->Post([self = shared_from_this()] { self->Run(); });
}

void GenerateCall::Handle(unsigned events) {
  if (sink_ == nullptr) return;
  if (events & kWritten) writing_ = false;
  if (events & kReady) ready_ = true;
  if (events & kCancelled) {
    cancelled_ = true;
    generation_.reset();
  }
  if (cancelled_) {
    // A write in flight still uses the sink; it fails soon, as the client is gone.
    if (!writing_) End(absl::CancelledError("the client has gone"));
    return;
  }
  if (events & kStart) BeginGeneration();
  if (generation_ != nullptr && !writing_) Pump();
}

void GenerateCall::BeginGeneration() {
  auto generation = starter_();
  starter_ = nullptr;
  if (!generation.ok()) return End(generation.status());
  generation_ = std::move(generation).value();
  // The engine may call this after the client and everybody else has left.
  generation_->SetOnReady([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Note(kReady);
  });
  ready_ = true;  // events from before SetOnReady
}

void GenerateCall::Pump() {
  if (ready_) {
    ready_ = false;
    std::vector<TextDelta> deltas = generation_->Poll();
    for (const TextDelta& delta : deltas) {
      if (delta.finish == FinishReason::kFailed) outcome_ = absl::InternalError(delta.error);
    }
    if (!deltas.empty()) writing_ = sink_->Take(std::move(deltas), *generation_);
  }
  if (!writing_ && generation_->finished()) End(outcome_);
}

void GenerateCall::End(const absl::Status& status) {
  AnswerSink* const sink = std::exchange(sink_, nullptr);
  const std::unique_ptr<TextGeneration> generation = std::move(generation_);
  starter_ = nullptr;
  sink->End(status, generation.get());
}

}  // namespace engram
