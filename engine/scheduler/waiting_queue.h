// SPDX-License-Identifier: Apache-2.0
// The sequences that wait, best rank first, and which of them hold blocks meanwhile: forks share
// their prompt's blocks by reference, and give them up when a running sequence is short.
#pragma once

#include <set>

#include "base/check.h"
#include "engine/scheduler/sequence.h"

namespace engram {

struct BetterRank {
  bool operator()(const Sequence* a, const Sequence* b) const { return a->rank < b->rank; }
};

// Not thread-safe. Borrows the sequences. How many there may be is bounded where requests are
// admitted (engine/admission.h).
class WaitingQueue {
 public:
  // REQUIRES: the sequence is not in the queue.
  void Push(Sequence* sequence) {
    CHECK(all_.insert(sequence).second);
    if (!sequence->blocks.empty()) holders_.insert(sequence);
  }
  // REQUIRES: the sequence is in the queue.
  void Remove(Sequence* sequence) {
    CHECK_EQ(all_.erase(sequence), 1u);
    holders_.erase(sequence);
  }
  // REQUIRES: the sequence is in the queue, and has given up its blocks.
  void ForgetBlocks(Sequence* sequence) { CHECK_EQ(holders_.erase(sequence), 1u); }

  bool empty() const { return all_.empty(); }
  // REQUIRES: not empty.
  Sequence* best() const {
    CHECK(!empty());
    return *all_.begin();
  }
  using Sequences = std::set<Sequence*, BetterRank>;
  const Sequences& all() const { return all_; }
  const Sequences& holders() const { return holders_; }

 private:
  Sequences all_;
  Sequences holders_;  // those with blocks
};

}  // namespace engram
