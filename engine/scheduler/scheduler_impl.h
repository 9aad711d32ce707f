// SPDX-License-Identifier: Apache-2.0
// The scheduler's state, shared by the files that are its steps: scheduler.cc (requests come and
// go), plan_step.cc (who runs), list_upcoming.cc (who will), commit_step.cc (what came of it),
// check_integrity.cc.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "engine/scheduler/scheduler.h"
#include "engine/scheduler/sequence.h"
#include "engine/scheduler/sequence_cache.h"
#include "engine/scheduler/waiting_queue.h"

namespace engram {

using SchedulerEvents = std::vector<SchedulerEvent>;

struct Scheduler::Impl {
  explicit Impl(const SchedulerOptions& options_in);

  // ---- scheduler.cc: requests come and go ----
  void Add(RequestKey key, Request request, TimePoint now);
  void Cancel(RequestKey key);
  void ExpireDeadlines(TimePoint now, SchedulerEvents* events);
  void AbortAll(SchedulerEvents* events);
  // Ends what is unfinished of the request, with an event for each choice, and removes it.
  // `error`: TokenEvent::error of kFailed.
  void EndRequest(RequestState* request, FinishReason reason, SchedulerEvents* events,
                  const std::string& error = "");
  // REQUIRES: all its choices are finished.
  void Remove(RequestState* request);
  SchedulerStats Stats() const;

  // ---- scheduler.cc: a sequence's states ----
  void Enqueue(Sequence* sequence);               // → kWaiting
  void Start(Sequence* sequence, TimePoint now);  // kWaiting → kRunning; it has its blocks
  void Stop(Sequence* sequence);                  // kRunning → no state yet; keeps its blocks
  void Finish(Sequence* sequence);                // any → kFinished; gives all back
  void Emit(Sequence* sequence, TokenEvent event, SchedulerEvents* events);
  void CountWaiting(RequestState* request);

  // ---- plan_step.cc ----
  std::optional<StepPlan> Plan(TimePoint now, SchedulerEvents* events);
  void ScheduleDecodes();
  void ScheduleChunks();
  void AdmitWaiting(TimePoint now);
  void Admit(Sequence* sequence, const std::vector<BlockId>& match, TimePoint now);
  bool GrowByForce(Sequence* sequence);
  bool DropWaitingBlocks(const Sequence* except);
  void Preempt(Sequence* sequence);

  // ---- list_upcoming.cc ----
  void ListUpcoming(StepPlan* plan);

  // ---- commit_step.cc ----
  void Commit(const StepPlan& plan, StepOutput output, SchedulerEvents* events);
  void TakeGates(Sequence* sequence, const SequenceSlice& slice, const std::vector<float>& gates,
                 SchedulerEvents* events);
  void CompletePrompt(RequestState* request, SchedulerEvents* events);
  void TakeSample(Sequence* sequence, TokenResult result, SchedulerEvents* events);

  // ---- check_integrity.cc ----
  void CheckIntegrity() const;

  const SchedulerOptions options;
  SequenceCache cache;
  std::map<RequestKey, std::unique_ptr<RequestState>> requests;
  std::set<std::pair<TimePoint, RequestKey>> deadlines;
  WaitingQueue waiting;
  std::vector<Sequence*> running;  // best rank first
  std::vector<StateSlot> free_slots;
  std::uint64_t next_sequence_id = 0;
  int unfinished_sequences = 0;

  // The step being planned or executed.
  std::uint64_t step = 0;
  int budget = 0;  // rows that are left
  bool preempted_in_step = false;
  bool prompt_first = false;       // without chunked prefill: the next step begins with a prompt
  bool plan_open = false;          // Plan has been called and Commit has not
  std::vector<Sequence*> planned;  // the plan's slices

  SchedulerStats counted;  // the fields that are not derived from the above
};

}  // namespace engram
