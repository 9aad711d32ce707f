// SPDX-License-Identifier: Apache-2.0
// The work behind the prefetcher, on one thread: hash some lookups of a step, drop repeated rows, ask
// the table for the rest, and put the rows where the layer will read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/engram/engram_table.h"
#include "engine/engram/ngram_hasher.h"
#include "engine/engram/row_request.h"
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
  std::uint64_t rows = 0;     // rows read from the table: repeated ones once
};

// Owns the buffers of one thread. Not thread-safe; gatherers on other threads may write other lookups
// of the same `out`.
class RowGatherer {
 public:
  // Room for `requests_max` (rows of a step · lookups at once), so that Gather allocates nothing.
  RowGatherer(std::size_t requests_max, std::size_t row_bytes_max);

  // Writes rows `range` of out [step rows, H, h_d], table dtype: zero bytes where a slice's memory is
  // off. REQUIRES: step rows · range.count ≤ requests_max.
  GatherCounts Gather(const NgramHasher& hasher, const StepWindows& step, LookupRange range,
                      const EngramTable& table, std::byte* out);

 private:
  // Fills requests_ with those of `range`, and ids_ with the distinct rows among them.
  void Collect(const NgramHasher& hasher, const StepWindows& step, LookupRange range);
  // Copies rows_ to where the requests want them.
  void Scatter(int lookups, LookupRange range, std::size_t row_bytes, std::byte* out) const;

  std::vector<RowRequest> requests_;      // lookup after lookup, ascending table rows
  std::vector<RowRequest> sort_scratch_;  // [requests_max]
  std::vector<std::int64_t> hashed_;      // [requests_max]
  std::vector<std::int64_t> ids_;         // distinct table rows, ascending
  std::vector<std::byte> rows_;           // [requests_max · row_bytes_max]
};

}  // namespace engram
