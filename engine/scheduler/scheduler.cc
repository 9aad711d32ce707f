// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "engine/scheduler/scheduler_impl.h"

namespace engram {
namespace {

Rank RankOf(const SchedulerOptions& options, RequestKey key, int priority, int choice,
            TimePoint arrival) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  // Microseconds: the largest priority times the longest aging stays far below 2^63.
  const std::int64_t arrival_us = duration_cast<microseconds>(arrival.time_since_epoch()).count();
  const std::int64_t aging_us = duration_cast<microseconds>(options.priority_aging).count();
  return {.virtual_arrival_us = arrival_us + priority * aging_us, .request = key, .choice = choice};
}

}  // namespace

Scheduler::Impl::Impl(const SchedulerOptions& options_in) : options(options_in), cache(options_in) {
  const absl::Status valid = ValidateSchedulerOptions(options);
  CHECK_MSG(valid.ok(), Message(valid));
  for (int i = options.max_num_seqs - 1; i >= 0; --i) free_slots.push_back(StateSlot(i));
  running.reserve(options.max_num_seqs);
  planned.reserve(options.max_num_seqs);
}

void Scheduler::Impl::Add(RequestKey key, Request request, TimePoint now) {
  const int prompt = static_cast<int>(request.prompt().size());
  const int output_max = std::min(request.max_tokens(), options.max_model_len - prompt);
  CHECK_GE(output_max, 0);
  // The last token that is sampled is never read, so it needs no room.
  CHECK_LE(cache.BlocksFor(prompt + std::max(output_max - 1, 0)), options.block_count);
  CHECK(requests.empty() || requests.rbegin()->first < key);

  auto state = std::make_unique<RequestState>(RequestState{
      .key = key,
      .request = std::move(request),
      .prefix_root = {},
      .output_max = output_max,
      .choices = {},
      .started = {},
      .prompt_result = {},
      .shared_prompt_result = {},
  });
  const Request& added = state->request;
  state->prefix_root = {.cache_salt = added.cache_salt(), .engram_enabled = added.engram_enabled()};
  state->choices.resize(added.n());
  state->unfinished_count = added.n();
  unfinished_sequences += added.n();
  for (int choice = 0; choice < added.n(); ++choice) {
    Sequence& sequence = state->choices[choice];
    sequence.request = state.get();
    sequence.choice = choice;
    sequence.id = SequenceId(next_sequence_id++);
    sequence.rank = RankOf(options, key, added.priority(), choice, now);
    sequence.seed = ChoiceSeed(added.sampling().seed, choice);
    // Choice 0 answers for the prompt.
    sequence.answered_rows = choice == 0 ? 0 : prompt;
    sequence.state = SequenceState::kUnforked;
  }
  if (added.deadline().has_value()) deadlines.emplace(*added.deadline(), key);
  Enqueue(&state->choices[0]);
  CountWaiting(state.get());
  requests.emplace(key, std::move(state));
}

void Scheduler::Impl::Cancel(RequestKey key) {
  CHECK(!plan_open);
  const auto it = requests.find(key);
  if (it == requests.end()) return;
  RequestState* request = it->second.get();
  for (Sequence& sequence : request->choices) {
    if (sequence.state != SequenceState::kFinished) Finish(&sequence);
  }
  Remove(request);
}

void Scheduler::Impl::ExpireDeadlines(TimePoint now, SchedulerEvents* events) {
  while (!deadlines.empty() && deadlines.begin()->first <= now) {
    EndRequest(requests.at(deadlines.begin()->second).get(), FinishReason::kDeadline, events);
  }
}

void Scheduler::Impl::AbortAll(SchedulerEvents* events) {
  CHECK(!plan_open);
  while (!requests.empty()) {
    EndRequest(requests.begin()->second.get(), FinishReason::kAborted, events);
  }
}

void Scheduler::Impl::EndRequest(RequestState* request, FinishReason reason,
                                 SchedulerEvents* events, const std::string& error) {
  for (Sequence& sequence : request->choices) {
    if (sequence.state == SequenceState::kFinished) continue;
    TokenEvent event;
    event.token = std::move(sequence.held_token);
    event.finish = reason;
    event.error = error;
    Emit(&sequence, std::move(event), events);
    Finish(&sequence);
  }
  Remove(request);
}

void Scheduler::Impl::Remove(RequestState* request) {
  CHECK_EQ(request->unfinished_count, 0);
  const RequestKey key = request->key;
  if (request->request.deadline().has_value()) deadlines.erase({*request->request.deadline(), key});
  requests.erase(key);
}

void Scheduler::Impl::Enqueue(Sequence* sequence) {
  sequence->state = SequenceState::kWaiting;
  waiting.Push(sequence);
}

void Scheduler::Impl::Start(Sequence* sequence, TimePoint now) {
  CHECK(sequence->state == SequenceState::kWaiting);
  waiting.Remove(sequence);
  sequence->state = SequenceState::kRunning;
  sequence->slot = free_slots.back();
  free_slots.pop_back();
  running.insert(std::ranges::upper_bound(running, sequence, BetterRank()), sequence);
  RequestState* request = sequence->request;
  if (!request->started.has_value()) request->started = now;
  ++request->running_count;
  CountWaiting(request);
}

void Scheduler::Impl::Stop(Sequence* sequence) {
  CHECK(sequence->state == SequenceState::kRunning);
  running.erase(std::ranges::find(running, sequence));
  free_slots.push_back(*sequence->slot);
  sequence->slot.reset();
  sequence->slot_is_current = false;
  sequence->step_rows = 0;
  --sequence->request->running_count;
}

void Scheduler::Impl::Finish(Sequence* sequence) {
  if (sequence->state == SequenceState::kRunning) Stop(sequence);
  if (sequence->state == SequenceState::kWaiting) waiting.Remove(sequence);
  cache.Release(sequence);
  sequence->state = SequenceState::kFinished;
  sequence->held_token.reset();
  --sequence->request->unfinished_count;
  --unfinished_sequences;
  CountWaiting(sequence->request);
}

void Scheduler::Impl::Emit(Sequence* sequence, TokenEvent event, SchedulerEvents* events) {
  RequestState* request = sequence->request;
  event.choice = sequence->choice;
  if (!sequence->prompt_sent && request->shared_prompt_result != nullptr) {
    event.prompt = request->shared_prompt_result;
    sequence->prompt_sent = true;
  }
  events->push_back(
      {.request = request->key, .event = std::move(event), .started = request->started});
}

void Scheduler::Impl::CountWaiting(RequestState* request) {
  const bool waits = request->unfinished_count > 0 && request->running_count == 0;
  if (waits == request->counted_as_waiting) return;
  request->counted_as_waiting = waits;
  const int sign = waits ? 1 : -1;
  counted.waiting_requests += sign;
  counted.waiting_tokens += sign * static_cast<std::int64_t>(request->request.prompt().size());
}

SchedulerStats Scheduler::Impl::Stats() const {
  SchedulerStats stats = counted;
  const BlockPool& pool = cache.pool();
  stats.live_requests = static_cast<int>(requests.size());
  stats.running_sequences = static_cast<int>(running.size());
  stats.waiting_sequences = unfinished_sequences - stats.running_sequences;
  stats.blocks_total = pool.block_count();
  stats.blocks_used = pool.block_count() - pool.available_count();
  stats.blocks_cached = pool.cached_free_count();
  return stats;
}

Scheduler::Scheduler(const SchedulerOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Scheduler::~Scheduler() = default;

void Scheduler::Add(RequestKey key, Request request, TimePoint now) {
  impl_->Add(key, std::move(request), now);
}

void Scheduler::Cancel(RequestKey key) { impl_->Cancel(key); }

std::optional<StepPlan> Scheduler::Plan(TimePoint now, std::vector<SchedulerEvent>* events) {
  return impl_->Plan(now, events);
}

void Scheduler::Commit(const StepPlan& plan, StepOutput output,
                       std::vector<SchedulerEvent>* events) {
  impl_->Commit(plan, std::move(output), events);
}

void Scheduler::AbortAll(std::vector<SchedulerEvent>* events) { impl_->AbortAll(events); }

bool Scheduler::HasWork() const { return !impl_->requests.empty(); }

SchedulerStats Scheduler::stats() const { return impl_->Stats(); }

void Scheduler::CheckIntegrity() const { impl_->CheckIntegrity(); }

}  // namespace engram
