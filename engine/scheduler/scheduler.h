// SPDX-License-Identifier: Apache-2.0
// Decides which sequences the device works on next: continuous batching with chunked prefill over a
// paged cache with prefix reuse, recompute preemption and priorities with aging. A pure function of
// its calls: no clock, thread or device, so that a seeded simulation can drive the real code. The
// rules are in docs/SCHEDULER.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/scheduler/request_key.h"
#include "engine/step_plan.h"

namespace engram {

struct SchedulerEvent {
  RequestKey request;
  TokenEvent event;
  std::optional<TimePoint> started;  // when the request first ran; absent: it ended waiting
};

struct SchedulerStats {
  int live_requests = 0;  // added and not finished
  int running_sequences = 0;
  int waiting_sequences = 0;        // live ones that do not run: new, preempted or not yet forked
  int waiting_requests = 0;         // live ones of which no sequence runs
  std::int64_t waiting_tokens = 0;  // their prompt tokens
  int blocks_total = 0;
  int blocks_used = 0;    // held by sequences
  int blocks_cached = 0;  // held by the prefix cache alone: free for the taking
  std::uint64_t preemptions = 0;
  std::uint64_t prefix_queried_tokens = 0;
  std::uint64_t prefix_hit_tokens = 0;
};

// Not thread-safe: the engine thread's own.
class Scheduler {
 public:
  // REQUIRES: ValidateSchedulerOptions(options) is OK.
  explicit Scheduler(const SchedulerOptions& options);
  ~Scheduler();

  // REQUIRES: one sequence of the request fits into the empty cache (Request::Create's
  // cache_tokens), `key` is greater than every live one.
  void Add(RequestKey key, Request request, TimePoint now);
  // Frees everything the request holds, in any state; no event is sent for it any more. Unknown or
  // finished keys are ignored. REQUIRES: no plan waits for its Commit.
  void Cancel(RequestKey key);

  // What to do next; nothing if and only if no request is live. Requests whose deadline has passed
  // end here: their events are appended to `events`. REQUIRES: no plan waits for its Commit.
  std::optional<StepPlan> Plan(TimePoint now, std::vector<SchedulerEvent>* events);
  // Takes the results of the last plan in. Requests of output.failures end with kFailed, all their
  // choices, and nothing of the failed slices is kept. REQUIRES: `plan` is that plan, `output` has
  // its shape.
  void Commit(const StepPlan& plan, StepOutput output, std::vector<SchedulerEvent>* events);

  // Ends all requests with kAborted (drain timeout). REQUIRES: no plan waits for its Commit.
  void AbortAll(std::vector<SchedulerEvent>* events);

  bool HasWork() const;  // anything waiting or running
  SchedulerStats stats() const;
  // CHECKs every invariant: reference counts, block ownership, positions, counters. For tests and
  // the simulation; walks everything.
  void CheckIntegrity() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engram
