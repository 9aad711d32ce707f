// SPDX-License-Identifier: Apache-2.0
// Fetches the table rows of a step beside the layers that run before them. Row ids depend on token
// ids alone, so everything is known when the step is planned: Start hands the step to the workers,
// which hash and gather, first layer first; the layer asks with Rows when it gets there. Off
// (`EngramPrefetchMode::kAtLayer`), the same work is done inside Rows, and gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/engram/engram_config.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/step_row_failure.h"
#include "engine/engram/token_map.h"
#include "engine/step_plan.h"

namespace engram {

enum class EngramPrefetchMode { kAhead, kAtLayer };

struct EngramPrefetcherOptions {
  EngramPrefetchMode mode = EngramPrefetchMode::kAhead;
  int workers = 1;   // threads; kAtLayer has none
  int rows_max = 0;  // tokens of the largest step: sizes the staging buffers, once
  // SchedulerOptions::upcoming_tokens_max: of these the tables are told early (kAhead). 0: of none.
  int upcoming_tokens_max = 0;
};

// What has been fetched so far, and what was waited for; of one layer or of all.
struct EngramPrefetchStats {
  std::uint64_t steps = 0;
  std::uint64_t lookups = 0;    // rows that tokens asked for
  std::uint64_t rows = 0;       // different ones among a job's: what a storage must read
  std::uint64_t bytes = 0;      // of those
  std::uint64_t gather_ns = 0;  // time spent on hashing and gathering, all threads together
  std::uint64_t stall_ns = 0;   // time layers spent in Rows because theirs were not ready
};

// One step at a time: Start, Rows for each layer in any order, Sampled, then the next Start. A step
// may be given up at any point: Start drops what is left of the one before. All of these are called
// by the engine thread, stats by any.
class EngramPrefetcher {
 public:
  // `tables`: one per config.layer_ids, same order; they must outlive this. REQUIRES: at least one
  // layer; NgramHasher::Create accepts config and token_map (else the process ends with its error);
  // every table has the layout's rows and config.head_dim; rows_max > 0; workers > 0 unless
  // kAtLayer.
  EngramPrefetcher(const EngramConfig& config, TokenMap token_map,
                   std::vector<const EngramTable*> tables, EngramPrefetcherOptions options);
  ~EngramPrefetcher();

  // Reads `plan` only until it returns, which is at once. REQUIRES: at most rows_max rows.
  void Start(const StepPlan& plan);

  // What the step has sampled, one per plan.samples: slow tables are told of these tokens' rows at
  // once, before the next step is planned. A hint; it may be left out.
  void Sampled(const StepPlan& plan, std::span<const TokenResult> tokens);

  // Host memory [step rows · H, h_d] in the table's dtype, for the `layer_index`-th Engram layer;
  // valid until the next Start. Rows of slices whose memory is off are zero bytes. Work on this
  // layer that no worker has begun is done here; then it waits for the workers. REQUIRES: a step
  // was started.
  const std::byte* Rows(int layer_index);

  // Rows of this step that are void because a table row could not be read (its bytes are zero
  // then); one may be named several times. Empty, but for a broken disk or file. REQUIRES: Rows has
  // been called for every layer.
  std::vector<StepRowFailure> TakeFailures();

  // Thread-safe.
  EngramPrefetchStats stats() const;
  EngramPrefetchStats layer_stats(int layer_index) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engram
