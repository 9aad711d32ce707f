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

// Where Engram tables lie.
enum class EngramPlacement {
  kAuto,    // in RAM if they fit, else on their drive, else mapped
  kRam,     // copied into memory at start
  kMapped,  // in the checkpoint's mapping: the system's page cache decides what is in memory
  kNvme,    // on their drive, read row by row past the page cache
};

enum class HugePages {
  kAuto,     // as many as can be had
  kOff,      // none, to measure what they are worth
  kRequire,  // all, or no start
};

struct EngramStorageOptions {
  EngramPlacement placement = EngramPlacement::kAuto;
  std::int64_t ram_budget_bytes = 0;  // for tables in RAM and row caches; 0 = by what is free
  int threads =
      0;  // that load a table, or read where there is no io_uring; 0 = the storage's choice
  int queue_depth = 64;  // reads that each reader of an NVMe table has under way
  std::int64_t cache_bytes = std::int64_t{256} << 20;  // rows of NVMe tables, all together
  HugePages huge_pages = HugePages::kAuto;
  // Socket of a table keeper, with which tables in RAM are left for the next start; empty: none.
  std::string keeper{};
};

struct EngineOptions {
  SchedulerOptions scheduler;
  std::string model_name;  // label of the metrics
};

}  // namespace engram
