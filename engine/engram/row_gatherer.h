// SPDX-License-Identifier: Apache-2.0
// The work behind the prefetcher, on one thread: hash some lookups of a step, bring equal rows
// together, and have the table copy them to where the layer will read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/engram/engram_table.h"
#include "engine/engram/ngram_hasher.h"
#include "engine/engram/row_request.h"
#include "engine/engram/step_row_failure.h"
#include "engine/engram/step_windows.h"

namespace engram {

// Lookups [first, first + count) of one layer.
struct LookupRange {
  int layer_index = 0;
  int first = 0;
  int count = 0;
};

struct GatherCounts {
  std::uint64_t lookups = 0;  // rows wanted, T per lookup
  std::uint64_t rows = 0;     // different ones among them
};

// Owns the buffers of one thread. Not thread-safe; gatherers on other threads may write other
// lookups of the same `out`.
class RowGatherer {
 public:
  // Room for `copies_max` (rows of a step · lookups at once), so that Gather allocates nothing.
  explicit RowGatherer(std::size_t copies_max);

  // Writes lookups `range` of out [step rows, H, h_d], table dtype: zero bytes where a slice's
  // memory is off, and where a row could not be read, which `failures` then names. Allocates only
  // for a failure. REQUIRES: step rows · range.count ≤ copies_max.
  GatherCounts Gather(const NgramHasher& hasher, const StepWindows& step, LookupRange range,
                      const EngramTable& table, std::byte* out,
                      std::vector<StepRowFailure>* failures);

 private:
  // What is left to do when the table could not give copies_ together: each alone, to find out
  // which of them fail.
  void GatherOneByOne(const EngramTable& table, int lookups, RowSink out,
                      std::vector<StepRowFailure>* failures);
  // Fills requests_ with those of one lookup, in ascending order of table row.
  void Request(const NgramHasher& hasher, const StepWindows& step, int layer_index, int lookup);

  std::vector<RowRequest> requests_;      // [step rows with memory]
  std::vector<RowRequest> sort_scratch_;  // [copies_max]
  std::vector<std::int64_t> hashed_;      // [copies_max]
  std::vector<RowCopy> copies_;           // [≤ copies_max], ascending
};

}  // namespace engram
