// SPDX-License-Identifier: Apache-2.0
// Tells slow tables early which rows coming steps will want. A plan lists tokens that the steps
// after it will probably compute; a thread of its own hashes them, sorts and deduplicates their
// rows and passes them to EngramTable::Prefetch, in small pieces, and only while no rows of the
// present step are due. It changes when rows arrive, never which.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
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
  // new one is dropped; what was hinted already is not hinted again. Reads `plan` only until it
  // returns. The engine thread's.
  void Update(const StepPlan& plan);

 private:
  // What is to be hinted of one sequence.
  struct Wish {
    SequenceId sequence;
    int position = 0;  // of the next token to hint
    int count = 0;     // tokens from there on
    std::size_t window_begin = 0;  // in ids_, of the N − 1 ids before `position`
  };

  void Work();
  // Takes the next piece's window into `piece_`; false: none.
  bool TakePiece();
  void HintPiece();

  // Constant after construction.
  const NgramHasher* const hasher_;
  const std::vector<const EngramTable*> tables_;
  JobBoard* const board_;

  std::mutex mutex_;
  std::condition_variable wished_;  // or closed
  // State below is protected by mutex_.
  std::vector<Wish> wishes_;       // soonest first
  std::size_t next_wish_ = 0;      // the first that has tokens left
  std::vector<Wish> former_;       // the list before, by sequence; Update's scratch
  std::vector<std::int32_t> ids_;  // compressed
  bool closed_ = false;

  // The thread's own.
  std::vector<std::int32_t> piece_;  // window of the piece: [N − 1 + ≤ kTokensPerPiece]
  std::vector<std::int64_t> piece_rows_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace engram
