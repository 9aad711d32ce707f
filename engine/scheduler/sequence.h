// SPDX-License-Identifier: Apache-2.0
// What the scheduler knows of a request and of each of its n sequences. A sequence is one timeline
// of tokens, prompt then output; every length is counted in tokens from its start. Plain data: the
// scheduler's steps keep it consistent, and CheckIntegrity says what must hold.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "engine/request.h"
#include "engine/scheduler/prefix_cache.h"
#include "engine/scheduler/request_key.h"
#include "engine/step_plan.h"

namespace engram {

// Who comes first: lower is better. It never changes, so neither waiting nor a preemption costs a
// sequence its place.
struct Rank {
  // Arrival, put off by `priority_aging` for each level of priority: one level is worth that much
  // waiting, so that whoever waits long enough passes whoever comes later with a better priority.
  std::int64_t virtual_arrival_us = 0;
  RequestKey request;  // order of arrival
  int choice = 0;

  friend auto operator<=>(const Rank&, const Rank&) = default;
};

enum class SequenceState {
  kUnforked,  // waits for choice 0 to compute the prompt
  kWaiting,   // in the waiting queue: new, forked or preempted
  kRunning,   // has a slot, and blocks for all its tokens
  kFinished,
};

struct RequestState;

struct Sequence {
  int length() const;  // prompt and output
  int prompt_length() const;
  // Tokens that are not in the cache yet; when they are, the next token can be sampled.
  int pending_tokens() const { return length() - computed_tokens; }
  std::int32_t token(int position) const;
  void CopyTokens(int position, std::span<std::int32_t> out) const;
  // Whether the client still waits for something that only the row of `position` can give: its
  // gates, or the log-probability of the prompt token after it.
  bool OwesRow(int position) const;
  // What a prefix hit may cover at most: the last token must be computed to sample from it, and so
  // must every row that owes something.
  int cacheable_tokens() const;
  StateSource state_source() const;

  // Constant after Add.
  RequestState* request = nullptr;  // owns this
  int choice = 0;
  SequenceId id;
  Rank rank;
  std::uint64_t seed = 0;

  SequenceState state = SequenceState::kWaiting;
  std::vector<std::int32_t> output;
  int computed_tokens = 0;  // leading tokens whose keys are in `blocks`
  int answered_rows = 0;  // leading positions whose rows owe nothing any more; survives preemption

  // Leading blocks are full and may be shared; the block being written is the sequence's own. Empty
  // while waiting, unless forked: then it is what the fork shares.
  std::vector<BlockId> blocks;
  int registered_blocks = 0;                // leading blocks that the prefix cache knows
  std::vector<std::uint64_t> block_hashes;  // of leading full blocks, as far as needed so far

  std::optional<StateSlot> slot;  // while running
  bool slot_is_current = false;   // the slot holds the state at computed_tokens
  int step_rows = 0;              // rows in the plan being made or executed

  std::optional<TokenResult> held_token;  // sampled, waits for its gates
  bool prompt_sent = false;               // PromptResult went out with this choice
};

struct RequestState {
  bool wants_prompt_rows() const {
    return request.prompt_logprobs().has_value() || request.engram_gates();
  }

  RequestKey key;
  Request request;
  PrefixRoot prefix_root;
  int output_max = 0;             // tokens each choice may sample
  std::vector<Sequence> choices;  // [n], never resized: others point into it

  int unfinished_count = 0;         // choices
  int running_count = 0;            // choices
  bool counted_as_waiting = false;  // in SchedulerStats::waiting_*
  std::optional<TimePoint> started;
  // Filled while choice 0 computes the prompt, then shared with the events of all choices.
  PromptResult prompt_result;
  // Owners: the request and its events.
  std::shared_ptr<const PromptResult> shared_prompt_result;
};

// The seed of choice `choice` of a request with `seed`. Choice 0 has the request's own, so n = 1
// gives what choice 0 of n = 2 gives; the others have Philox4x32-10 of counter (choice, 0, 0, 0)
// under it.
std::uint64_t ChoiceSeed(std::uint64_t seed, int choice);

}  // namespace engram
