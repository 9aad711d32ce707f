// SPDX-License-Identifier: Apache-2.0
// How much the engine has to do, as other threads see it, and who may still come in. The one place
// that knows requests both on their way to the engine thread and in its scheduler, so its counts
// are exact.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/status/status.h"
#include "base/clock.h"
#include "engine/options.h"
#include "engine/scheduler/scheduler.h"

namespace engram {

struct LoadSnapshot {
  SchedulerStats scheduler;  // as of its last call
  int waiting_requests = 0;  // on their way or waiting in the scheduler
  std::int64_t waiting_tokens = 0;
  bool has_work = false;
};

// Thread-safe.
class EngineLoad {
 public:
  explicit EngineLoad(const SchedulerOptions& options)
      : requests_max_(options.max_waiting_requests), tokens_max_(options.max_waiting_tokens) {}

  // Lets `requests` with `tokens` prompt tokens in, all or none. The errors of Engine::Submit.
  absl::Status Enter(int requests, std::int64_t tokens);
  // Of what has entered, `requests` went no further: the engine has stopped.
  void TurnBack(int requests, std::int64_t tokens);
  // Engine thread: of what has entered, `requests` are in the scheduler now, whose state is
  // `stats`.
  void Update(int requests, std::int64_t tokens, const SchedulerStats& stats);

  void BeginDrain();
  // False if it was not idle within `timeout`.
  bool WaitIdle(Duration timeout);
  LoadSnapshot snapshot() const;

 private:
  bool idle() const { return entering_requests_ == 0 && scheduler_.live_requests == 0; }

  const int requests_max_;
  const std::int64_t tokens_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // State below is protected by mutex_.
  bool draining_ = false;
  int entering_requests_ = 0;  // let in, not in the scheduler yet
  std::int64_t entering_tokens_ = 0;
  SchedulerStats scheduler_;
};

}  // namespace engram
