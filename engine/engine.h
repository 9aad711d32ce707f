// SPDX-License-Identifier: Apache-2.0
// The engine's public boundary: token ids in, token events out. Owns the one engine thread, which
// makes all decisions: it drains the submit queue into the scheduler, plans, executes, commits, and
// hands events to each request's Generation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/step_plan.h"

namespace engram {

// A request's life in the engine. Destroying it is the only cancel: its blocks are free at the next
// plan, in whatever state it is. Thread-safe, and may outlive the engine (it has ended then).
class Generation {
 public:
  virtual ~Generation() = default;

  // Calls `on_ready` (from the engine thread, or at once from the caller's if there are events
  // already) each time events arrive after TryNext has said there are none. It must not block; it
  // typically posts to an executor. Once per Generation.
  virtual void SetOnReady(std::function<void()> on_ready) = 0;
  // The next event, or nothing yet.
  virtual std::optional<TokenEvent> TryNext() = 0;
};

struct EngineStats {
  int running_sequences = 0;
  int waiting_requests = 0;
  std::int64_t waiting_tokens = 0;
  int blocks_total = 0;
  int blocks_used = 0;
  std::uint64_t steps = 0;
  bool has_work = false;
  Duration since_last_step{};  // how long ago the loop last came round; for liveness
};

// Thread-safe.
class Engine {
 public:
  // Starts the engine thread. `clock` and `metrics` must outlive the engine.
  // REQUIRES: ValidateSchedulerOptions(options.scheduler) is OK.
  static std::unique_ptr<Engine> Create(const EngineOptions& options,
                                        std::unique_ptr<StepExecutor> executor, const Clock* clock,
                                        MetricsRegistry* metrics);
  // Stops at once: what runs ends with kAborted.
  virtual ~Engine() = default;

  // ResourceExhausted (code "queue_full") if the waiting queue is full, in requests or prompt
  // tokens; Unavailable (code "server_draining") once draining. Answers at once, never waits.
  virtual absl::StatusOr<std::unique_ptr<Generation>> Submit(Request request) = 0;

  // All of `requests` or none: prompts of one client request are admitted together.
  virtual absl::StatusOr<std::vector<std::unique_ptr<Generation>>> SubmitAll(
      std::vector<Request> requests) = 0;

  // Refuses new requests from now on; what is waiting or running goes on.
  virtual void BeginDrain() = 0;
  // Waits until nothing is waiting or running, or `timeout`; true if idle.
  virtual bool WaitIdle(Duration timeout) = 0;
  // Ends everything that still runs with kAborted.
  virtual void AbortAll() = 0;

  virtual EngineStats stats() const = 0;
};

}  // namespace engram
