// SPDX-License-Identifier: Apache-2.0
// Decides which sequences the device works on next: continuous batching with chunked prefill over a
// paged cache with prefix reuse, recompute preemption and priorities with aging. A pure function of
// its calls: no clock, thread or device, so that a seeded simulation can drive the real code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/step_plan.h"

namespace engram {

// Names a request inside the engine.
using RequestKey = Id<struct RequestKeyTag, std::uint64_t>;

struct SchedulerEvent {
  RequestKey request;
  TokenEvent event;
};

struct SchedulerStats {
  int running_sequences = 0;
  int waiting_requests = 0;
  std::int64_t waiting_tokens = 0;
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
  explicit Scheduler(const SchedulerOptions& options);
  ~Scheduler();

  // REQUIRES: the request fits (Request::Create's cache_tokens), `key` is new.
  void Add(RequestKey key, Request request, TimePoint now);
  // Frees everything the request holds, in any state; no event is sent for it any more. Unknown or
  // finished keys are ignored. Must not be called between Plan and its Commit.
  void Cancel(RequestKey key);

  // What to do next; nothing if no sequence can run. Requests whose deadline has passed end here:
  // their events are appended to `events`.
  std::optional<StepPlan> Plan(TimePoint now, std::vector<SchedulerEvent>* events);
  // Takes the results of the last plan in.
  void Commit(const StepPlan& plan, StepOutput output, TimePoint now,
              std::vector<SchedulerEvent>* events);

  // Ends all requests with kAborted (drain timeout).
  void AbortAll(std::vector<SchedulerEvent>* events);

  bool HasWork() const;  // anything waiting or running
  SchedulerStats stats() const;
  // CHECKs every invariant: reference counts, block ownership, positions, counters. For tests and the
  // simulation; walks everything.
  void CheckIntegrity() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engram
