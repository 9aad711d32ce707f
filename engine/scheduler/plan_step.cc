// SPDX-License-Identifier: Apache-2.0
// Who runs in a step, and with how many rows. Two rules give progress whatever happens: a running
// sequence takes blocks only from waiting forks and from running ones of worse rank, so the best
// one always gets on; and where nothing runs, the best waiting one can be admitted, for it fits
// alone.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/scheduler/build_plan.h"
#include "engine/scheduler/scheduler_impl.h"

namespace engram {

std::optional<StepPlan> Scheduler::Impl::Plan(TimePoint now, SchedulerEvents* events) {
  CHECK(!plan_open);
  ExpireDeadlines(now, events);
  budget = options.max_num_batched_tokens;
  preempted_in_step = false;
  const bool admit_first = std::exchange(prompt_first, false);
  if (admit_first) AdmitWaiting(now);
  ScheduleDecodes();
  ScheduleChunks();
  if (!admit_first) AdmitWaiting(now);

  planned.clear();
  for (Sequence* sequence : running) {
    if (sequence->step_rows > 0) planned.push_back(sequence);
  }
  if (planned.empty()) {
    CHECK(requests.empty());
    return std::nullopt;
  }
  std::stable_partition(planned.begin(), planned.end(),
                        [](const Sequence* s) { return s->pending_tokens() == 1; });
  plan_open = true;
  StepPlan plan = BuildPlan(options, ++step, planned);
  ListUpcoming(&plan);
  return plan;
}

void Scheduler::Impl::ScheduleDecodes() {
  // Preempt takes from the end of `running`, which is never before `i`.
  for (std::size_t i = 0; i < running.size() && budget > 0; ++i) {
    Sequence* sequence = running[i];
    if (sequence->pending_tokens() != 1 || sequence->step_rows > 0) continue;
    if (!GrowByForce(sequence)) continue;  // its turn comes when a better one ends
    sequence->step_rows = 1;
    --budget;
  }
}

void Scheduler::Impl::ScheduleChunks() {
  for (Sequence* sequence : running) {
    if (sequence->step_rows > 0 || sequence->pending_tokens() == 1) continue;
    sequence->step_rows = std::min(sequence->pending_tokens(), budget);
    budget -= sequence->step_rows;
  }
}

void Scheduler::Impl::AdmitWaiting(TimePoint now) {
  // Nobody is passed over for a smaller one: else a large prompt could wait for ever. And after a
  // preemption nobody comes in, or the preempted one would come straight back.
  while (!preempted_in_step && budget > 0 && !waiting.empty() &&
         static_cast<int>(running.size()) < options.max_num_seqs) {
    Sequence* sequence = waiting.best();
    const std::vector<BlockId> match = cache.Match(sequence);
    const int rows = sequence->length() - static_cast<int>(match.size()) * options.block_size;
    if (!options.enable_chunked_prefill && rows > budget) {
      prompt_first = true;
      return;
    }
    // A running sequence may want its next block soon. A newcomer that took it would be the first
    // to be preempted for it.
    const int spare_blocks = static_cast<int>(running.size());
    if (!cache.Fits(*sequence, match, spare_blocks)) {
      if (!running.empty()) return;
      CHECK(DropWaitingBlocks(sequence));
      continue;
    }
    Admit(sequence, match, now);
  }
}

void Scheduler::Impl::Admit(Sequence* sequence, const std::vector<BlockId>& match, TimePoint now) {
  RequestState* request = sequence->request;
  const bool first = !request->started.has_value();
  Start(sequence, now);
  cache.Assign(match, sequence);
  sequence->step_rows = std::min(sequence->pending_tokens(), budget);
  budget -= sequence->step_rows;
  if (!first) return;
  request->prompt_result.cached_tokens = sequence->computed_tokens;
  if (options.enable_prefix_caching && !sequence->OwesRow(0)) {
    counted.prefix_queried_tokens += sequence->length();
    counted.prefix_hit_tokens += sequence->computed_tokens;
  }
  if (!request->wants_prompt_rows()) return;
  for (const std::int32_t token : request->request.prompt()) {
    request->prompt_result.tokens.emplace_back().token = token;
  }
}

// Makes room for the sequence's next token, at the cost of others if need be.
bool Scheduler::Impl::GrowByForce(Sequence* sequence) {
  while (!cache.Grow(sequence)) {
    if (DropWaitingBlocks(nullptr)) continue;
    if (running.back() == sequence) return false;
    Preempt(running.back());
  }
  return true;
}

// Takes the blocks of the worst waiting fork; false if no other than `except` has any. The fork
// will compute them again, or find them in the prefix cache.
bool Scheduler::Impl::DropWaitingBlocks(const Sequence* except) {
  const WaitingQueue::Sequences& holders = waiting.holders();
  for (auto it = holders.rbegin(); it != holders.rend(); ++it) {
    Sequence* sequence = *it;
    if (sequence == except) continue;
    waiting.ForgetBlocks(sequence);
    cache.Release(sequence);
    return true;
  }
  return false;
}

void Scheduler::Impl::Preempt(Sequence* sequence) {
  budget += sequence->step_rows;
  Stop(sequence);
  cache.Release(sequence);
  Enqueue(sequence);
  CountWaiting(sequence->request);
  preempted_in_step = true;
  ++counted.preemptions;
}

}  // namespace engram
