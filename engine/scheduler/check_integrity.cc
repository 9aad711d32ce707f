// SPDX-License-Identifier: Apache-2.0
// Everything that must hold between two calls, as CHECKs.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "engine/scheduler/scheduler_impl.h"

namespace engram {
namespace {

void CheckSequence(const SchedulerOptions& options, const Sequence& sequence, bool plan_open) {
  const int length = sequence.length();
  CHECK_LE(length, options.max_model_len);
  CHECK_LE(static_cast<int>(sequence.output.size()), sequence.request->output_max);
  CHECK_LE(sequence.answered_rows, length);
  CHECK_GE(sequence.pending_tokens(), 1);
  CHECK_EQ(sequence.slot.has_value(), sequence.state == SequenceState::kRunning);
  CHECK(sequence.step_rows == 0 || plan_open);
  const int held = static_cast<int>(sequence.blocks.size()) * options.block_size;
  switch (sequence.state) {
    case SequenceState::kUnforked:
      CHECK_EQ(held, 0);
      CHECK(sequence.request->shared_prompt_result == nullptr);
      break;
    case SequenceState::kWaiting:  // a fork holds full blocks, others nothing
      CHECK_EQ(held, sequence.computed_tokens);
      CHECK(!sequence.slot_is_current);
      break;
    case SequenceState::kRunning:
      CHECK_GE(held, length - 1);  // the token sampled last gets its block when it is planned
      CHECK(sequence.slot_is_current || sequence.computed_tokens % options.block_size == 0);
      break;
    case SequenceState::kFinished:
      CHECK_EQ(held, 0);
      CHECK(!sequence.held_token.has_value());
      break;
  }
}

}  // namespace

void Scheduler::Impl::CheckIntegrity() const {
  std::vector<const Sequence*> sequences;
  int waiting_requests = 0;
  std::int64_t waiting_tokens = 0;
  int unfinished = 0;
  std::size_t waiting_sequences = 0;
  std::size_t holders = 0;
  std::size_t with_deadline = 0;
  for (const auto& [key, request] : requests) {
    int live = 0;
    int runs = 0;
    for (const Sequence& sequence : request->choices) {
      CHECK(sequence.request == request.get());
      CheckSequence(options, sequence, plan_open);
      sequences.push_back(&sequence);
      live += sequence.state != SequenceState::kFinished;
      runs += sequence.state == SequenceState::kRunning;
      if (sequence.state != SequenceState::kWaiting) continue;
      ++waiting_sequences;
      holders += !sequence.blocks.empty();
      CHECK(waiting.all().contains(const_cast<Sequence*>(&sequence)));
    }
    CHECK_GT(live, 0);
    CHECK_EQ(live, request->unfinished_count);
    CHECK_EQ(runs, request->running_count);
    unfinished += live;
    if (runs == 0) {
      ++waiting_requests;
      waiting_tokens += static_cast<std::int64_t>(request->request.prompt().size());
    }
    if (request->request.deadline().has_value()) {
      ++with_deadline;
      CHECK(deadlines.contains({*request->request.deadline(), key}));
    }
  }
  CHECK_EQ(waiting_requests, counted.waiting_requests);
  CHECK_EQ(waiting_tokens, counted.waiting_tokens);
  CHECK_EQ(unfinished, unfinished_sequences);
  CHECK_EQ(waiting_sequences, waiting.all().size());
  CHECK_EQ(holders, waiting.holders().size());
  CHECK_EQ(with_deadline, deadlines.size());

  CHECK(std::ranges::is_sorted(running, BetterRank()));
  CHECK_EQ(static_cast<int>(running.size() + free_slots.size()), options.max_num_seqs);
  std::vector<bool> slot_taken(options.max_num_seqs, false);
  const auto take_slot = [&slot_taken](StateSlot slot) {
    CHECK(!slot_taken[slot.value()]);
    slot_taken[slot.value()] = true;
  };
  for (const StateSlot slot : free_slots) take_slot(slot);
  for (const Sequence* sequence : running) take_slot(*sequence->slot);
  cache.CheckIntegrity(sequences);
}

}  // namespace engram
