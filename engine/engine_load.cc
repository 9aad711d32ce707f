// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_load.h"

#include <string>

#include "base/field_error.h"

namespace engram {

absl::Status EngineLoad::Enter(int requests, std::int64_t tokens) {
  std::lock_guard lock(mutex_);
  if (draining_) {
    return WithErrorCode(
        absl::UnavailableError("the server is shutting down and takes no new requests"),
        "server_draining");
  }
  const int waiting_requests = entering_requests_ + scheduler_.waiting_requests;
  const std::int64_t waiting_tokens = entering_tokens_ + scheduler_.waiting_tokens;
  if (waiting_requests + requests > requests_max_ || waiting_tokens + tokens > tokens_max_) {
    return WithErrorCode(
        absl::ResourceExhaustedError(
            "the waiting queue is full: " + std::to_string(waiting_requests) + " of " +
            std::to_string(requests_max_) + " requests and " + std::to_string(waiting_tokens) +
            " of " + std::to_string(tokens_max_) + " prompt tokens are waiting; try again later"),
        "queue_full");
  }
  entering_requests_ += requests;
  entering_tokens_ += tokens;
  return absl::OkStatus();
}

void EngineLoad::TurnBack(int requests, std::int64_t tokens) {
  std::lock_guard lock(mutex_);
  entering_requests_ -= requests;
  entering_tokens_ -= tokens;
  if (idle()) changed_.notify_all();
}

void EngineLoad::Update(int requests, std::int64_t tokens, const SchedulerStats& stats) {
  std::lock_guard lock(mutex_);
  entering_requests_ -= requests;
  entering_tokens_ -= tokens;
  scheduler_ = stats;
  if (idle()) changed_.notify_all();
}

void EngineLoad::BeginDrain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
}

bool EngineLoad::WaitIdle(Duration timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return idle(); });
}

LoadSnapshot EngineLoad::snapshot() const {
  std::lock_guard lock(mutex_);
  return {.scheduler = scheduler_,
          .waiting_requests = entering_requests_ + scheduler_.waiting_requests,
          .waiting_tokens = entering_tokens_ + scheduler_.waiting_tokens,
          .has_work = !idle()};
}

}  // namespace engram
