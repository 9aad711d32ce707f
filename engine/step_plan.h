// SPDX-License-Identifier: Apache-2.0
// One step of the device: what to compute (StepPlan, made by Scheduler::Plan and immutable) and
// what came of it (StepOutput, made by the executor and read by Scheduler::Commit).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "config/limits.h"
#include "engine/request.h"

namespace engram {

using SequenceId = Id<struct SequenceTag, std::uint64_t>;
using BlockId = Id<struct BlockTag, std::int32_t>;
// Names the place of a running sequence's rolling state (the short convolution's window).
using StateSlot = Id<struct StateSlotTag, std::int32_t>;

// Where a slice's rolling state comes from.
enum class StateSource {
  kZero,   // position 0
  kSlot,   // the sequence's own slot: it ran in an earlier step
  kBlock,  // the snapshot of the block that ends at start_position (prefix hit, fork, resumption)
};

// A run of consecutive positions of one sequence: a chunk of its prompt, or one token of decode.
// Rows are indices into the step's token_ids.
struct SequenceSlice {
  SequenceId sequence;
  int first_row = 0;
  int row_count = 0;       // ≥ 1
  int start_position = 0;  // position of first_row in the sequence
  int first_block = 0;     // index into StepPlan::block_ids
  int block_count = 0;     // blocks that hold positions [0, start_position + row_count)
  StateSlot state_slot;
  StateSource state_source = StateSource::kZero;
  bool engram_enabled = true;
  bool wants_gates = false;
  // The raw token ids just before start_position, oldest first: what n-grams that begin in an
  // earlier chunk need. lookback_count = min(start_position, ngram_order_max − 1).
  std::array<std::int32_t, limits::kNgramOrderMax - 1> lookback{};
  int lookback_count = 0;
};

// A row whose logits give the next token of its sequence. Spans and pointers are borrowed from the
// scheduler and stay valid until the plan's Commit.
struct SampleRow {
  int slice = 0;
  int row = 0;
  const SamplingParams* params = nullptr;
  std::uint64_t seed = 0;     // the choice's own
  std::int64_t position = 0;  // of the token to be sampled; the draw is f(seed, position)
  std::span<const std::int32_t> prompt_tokens;  // for the penalties
  std::span<const std::int32_t> output_tokens;
  std::span<const std::int32_t> masked_tokens;  // must not be sampled (EOS before min_tokens)
};

// A prompt row whose log-probabilities the client wants: those of the token that follows it.
struct PromptLogprobRow {
  int slice = 0;
  int row = 0;
  std::int32_t next_token = 0;
  int top = 0;  // how many best ones besides
};

// Positions of a sequence that no step has computed yet and a coming one probably will: what may be
// fetched for them meanwhile. A hint: they may come late, in other chunks, or never.
struct UpcomingTokens {
  SequenceId sequence;
  int start_position = 0;
  int first_token = 0;     // index into StepPlan::upcoming_ids: lookback first, then the tokens
  int lookback_count = 0;  // min(start_position, ngram_order_max − 1)
  int token_count = 0;     // ≥ 1
};

struct StepPlan {
  std::uint64_t step = 0;
  std::vector<std::int32_t> token_ids;            // [rows], slice after slice
  std::vector<SequenceSlice> slices;              // [≥ 1]
  std::vector<BlockId> block_ids;                 // the slices' block tables, one after the other
  std::vector<SampleRow> samples;                 // ascending rows
  std::vector<PromptLogprobRow> prompt_logprobs;  // ascending rows
  // Soonest first; none of sequences whose memory is off. Token ids side by side in upcoming_ids.
  std::vector<UpcomingTokens> upcoming;
  std::vector<std::int32_t> upcoming_ids;
};

// A slice that could not be computed: a row of its memory could not be read. What the step gives
// for it is void.
struct SliceFailure {
  int slice = 0;
  std::string message;
};

struct StepOutput {
  std::vector<TokenResult> sampled;          // one per StepPlan::samples, same order; gates empty
  std::vector<TokenResult> prompt_logprobs;  // one per StepPlan::prompt_logprobs, same order
  // Gates of the rows of those slices that want them: [rows of slice, Engram layers × streams],
  // slices in plan order, one vector per such slice.
  std::vector<std::vector<float>> gates;
  std::vector<SliceFailure> failures;  // ascending slices, each at most once; mostly empty
};

// Executes plans, one at a time, in order. Not thread-safe: the engine thread's own.
class StepExecutor {
 public:
  virtual ~StepExecutor() = default;
  virtual StepOutput Execute(const StepPlan& plan) = 0;
  // What the engine's periodic log line should say about the steps since the last call; may be
  // empty.
  virtual std::string TakeLogNote() { return {}; }
};

}  // namespace engram
