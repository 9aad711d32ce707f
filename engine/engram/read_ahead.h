// SPDX-License-Identifier: Apache-2.0
// Tells slow tables early which rows coming steps will want: of a token that was just sampled, and
// of those that a plan lists because the steps after it will probably compute them. A thread of its
// own hashes them, sorts and deduplicates their rows and passes them to EngramTable::Prefetch, in
// small pieces, and only while no rows of the present step are due. It changes when rows arrive,
// never which.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "engine/engram/engram_table.h"
#include "engine/engram/job_board.h"
#include "engine/engram/ngram_hasher.h"
#include "engine/step_plan.h"

namespace engram {

class ReadAhead {
 public:
  // Tokens hinted at once: the longest that a step's first rows wait behind a read of ours.
  static constexpr int kTokensPerPiece = 16;

  // All must outlive this. `board`: the present step's jobs, which go first. `tokens_max`: of a
  // plan's list; sizes the buffers, so that nothing is allocated later.
  ReadAhead(const NgramHasher* hasher, std::vector<const EngramTable*> tables, JobBoard* board,
            int tokens_max);
  // REQUIRES: the board is closed.
  ~ReadAhead();

  // Takes the plan's list in the place of the one before. What is left of that one and not in the
  // new one is dropped; what was hinted already is not hinted again. Sampled tokens are dropped
  // too: they are in the step. Reads `plan` only until it returns. The engine thread's.
  void Update(const StepPlan& plan);

  // Tokens that `plan`, the step that just ran, has sampled, one per plan.samples: the next step
  // will compute them, unless their sequence ends here. They go before the list; no more of them
  // than a list may have. The engine thread's.
  void Sampled(const StepPlan& plan, std::span<const TokenResult> tokens);

 private:
  // What is hinted at once: windows of the same length, side by side.
  struct Piece {
    std::vector<std::int32_t> ids;  // [windows, N − 1 + tokens], at most kTokensPerPiece tokens
    std::size_t window = 0;         // ids in each
  };

  // What is to be hinted of one sequence.
  struct Wish {
    SequenceId sequence;
    int position = 0;              // of the next token to hint
    int count = 0;                 // tokens from there on
    std::size_t window_begin = 0;  // in ids_, of the N − 1 ids before `position`
  };

  // One sampled token and the N − 1 ids before it.
  std::size_t SampledWindow() const { return static_cast<std::size_t>(hasher_->lookback()) + 1; }
  void Work();
  // Takes what comes next into `piece_`; false: nothing does.
  bool TakePiece();
  bool TakeSampledLocked();
  bool TakeListedLocked();
  // REQUIRES: mutex_ is held.
  bool HasPieceLocked() const;
  void HintPiece();

  // Constant after construction.
  const NgramHasher* const hasher_;
  const std::vector<const EngramTable*> tables_;
  JobBoard* const board_;

  std::mutex mutex_;
  std::condition_variable wished_;  // or closed
  // State below is protected by mutex_.
  std::vector<Wish> wishes_;               // soonest first
  std::size_t next_wish_ = 0;              // the first that has tokens left
  std::vector<Wish> former_;               // the list before, by sequence; Update's scratch
  std::vector<std::int32_t> ids_;          // compressed
  std::vector<std::int32_t> sampled_ids_;  // [sampled, N] compressed
  std::size_t next_sampled_ = 0;           // in sampled_ids_
  bool closed_ = false;

  // The thread's own.
  Piece piece_;
  std::vector<std::int64_t> piece_rows_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace engram
