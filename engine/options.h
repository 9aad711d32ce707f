// SPDX-License-Identifier: Apache-2.0
// The engine's settings as plain data. config/ fills them from file and flags; nobody changes them
// after start.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"

namespace engram {

// What the scheduler decides with. All counts are > 0.
struct SchedulerOptions {
  int max_model_len = 0;  // prompt + output tokens of one sequence
  int max_num_seqs = 64;  // sequences that run at once
  // Tokens of one step: at least max_num_seqs (every running sequence decodes in every step) and,
  // without chunked prefill, at least max_model_len (a prompt is one step).
  int max_num_batched_tokens = 2048;
  int block_size = 16;      // tokens per cache block
  int block_count = 0;      // cache blocks in all
  int ngram_order_max = 1;  // tokens an n-gram spans; lookback = this − 1 (1: no Engram)
  // Tokens of which a plan says that they come after it (StepPlan::upcoming); 0: nobody asks.
  int upcoming_tokens_max = 0;
  bool enable_prefix_caching = true;
  bool enable_chunked_prefill = true;
  int max_waiting_requests = 1024;
  std::int64_t max_waiting_tokens = 1 << 22;  // prompt tokens of all waiting requests
  // A waiting request gains one priority level per this much waiting, so that none starves.
  Duration priority_aging = std::chrono::seconds(10);
  // Key of the prefix cache's hash; random per process, fixed in tests.
  std::uint64_t prefix_hash_key[2] = {0, 0};
};

// InvalidArgument naming the field that is out of range or does not go with the others.
absl::Status ValidateSchedulerOptions(const SchedulerOptions& options);

struct EngineOptions {
  SchedulerOptions scheduler;
  std::string model_name;  // label of the metrics
};

}  // namespace engram
