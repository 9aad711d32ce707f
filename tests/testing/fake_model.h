// SPDX-License-Identifier: Apache-2.0
// A model small enough to be its own oracle. Its "keys" are hashes of tokens, written to and read
// back through the plan's block tables; its rolling state is the last few keys, kept per slot and
// per block; its next token is a hash of all it has read. So a wrong block, slot, snapshot,
// lookback, position or seed becomes a wrong token, and what the right ones are follows from the
// request alone.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "engine/options.h"
#include "engine/request.h"
#include "engine/step_plan.h"

namespace engram::testing_support {

inline constexpr int kFakeVocabSize = 64;
inline constexpr int kFakeGateCount = 2;  // per token
inline constexpr int kFakeWindow = 5;     // keys in the rolling state

class FakeModel final : public StepExecutor {
 public:
  explicit FakeModel(const SchedulerOptions& options);
  // CHECKs that the plan is well formed: budgets, slices, tables, no block written twice or read by
  // others while it is written.
  StepOutput Execute(const StepPlan& plan) override;

 private:
  using Window = std::array<std::uint64_t, kFakeWindow>;  // oldest first

  struct Slot {
    Window window{};
    SequenceId owner;
    int position = 0;
  };

  void CheckPlan(const StepPlan& plan) const;
  // What the step before listed as upcoming must be what comes, where it comes.
  void CheckUpcoming(const StepPlan& plan);
  Window StartWindow(const StepPlan& plan, const SequenceSlice& slice) const;
  // The rows' hashes [row_count]; writes keys, slot and snapshots; appends gates where wanted.
  std::vector<std::uint64_t> RunSlice(const StepPlan& plan, const SequenceSlice& slice,
                                      StepOutput* output);

  const SchedulerOptions options_;
  std::map<SequenceId, std::map<int, std::int32_t>> announced_;  // position → token
  std::vector<std::uint64_t> keys_;  // [block_count, block_size]
  std::vector<Window> snapshots_;    // [block_count]
  std::vector<Slot> slots_;          // [max_num_seqs]
};

// What the fake model makes of one choice of a request.
struct FakeAnswer {
  std::vector<TokenResult> prompt;  // empty unless the request asks for rows
  std::vector<TokenResult> tokens;
  FinishReason finish = FinishReason::kLength;
  std::optional<std::int32_t> stop_token;
};
FakeAnswer ExpectedAnswer(const Request& request, int choice, int ngram_order_max);

}  // namespace engram::testing_support
