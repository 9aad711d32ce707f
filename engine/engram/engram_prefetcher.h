// SPDX-License-Identifier: Apache-2.0
// Fetches the table rows of a step beside the layers that run before them. Row ids depend on token ids
// alone, so everything is known when the step is planned: Start hashes and gathers on its own workers,
// the layer asks with Rows when it gets there. Off (`EngramPrefetchMode::kAtLayer`), the same work is
// done inside Rows, and gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engram/engram_config.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/token_map.h"
#include "engine/step_plan.h"

namespace engram {

enum class EngramPrefetchMode { kAhead, kAtLayer };

struct EngramPrefetcherOptions {
  EngramPrefetchMode mode = EngramPrefetchMode::kAhead;
  int workers = 1;
  int rows_max = 0;  // tokens of the largest step: sizes the staging buffers, once
};

// What has been fetched so far, and what was waited for.
struct EngramPrefetchStats {
  std::uint64_t rows = 0;         // table rows gathered
  std::uint64_t bytes = 0;
  std::uint64_t steps = 0;
  std::uint64_t gather_ns = 0;    // time workers spent on hashing and gathering
  std::uint64_t stall_ns = 0;     // time layers waited in Rows
};

// One step at a time: Start, Rows for each layer in any order, then the next Start. Start and Rows are
// called by the engine thread; stats from any thread.
class EngramPrefetcher {
 public:
  // `tables`: one per config.layer_ids, same order; they must outlive this.
  EngramPrefetcher(const EngramConfig& config, TokenMap token_map,
                   std::vector<const EngramTable*> tables, EngramPrefetcherOptions options);
  ~EngramPrefetcher();

  // `plan` must stay alive until the next Start (kAtLayer reads it in Rows).
  void Start(const StepPlan& plan);

  // Host memory [step rows · H, h_d] in the table's dtype, for the `layer_index`-th Engram layer; valid
  // until the next Start. Rows of slices whose memory is off are zero bytes. Waits if need be.
  const std::byte* Rows(int layer_index);

  EngramPrefetchStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engram
