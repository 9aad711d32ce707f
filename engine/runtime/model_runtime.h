// SPDX-License-Identifier: Apache-2.0
// A checkpoint made ready to execute steps: opens and checks it, picks the backend, places the
// weights, sizes and allocates the cache, and runs one step before anyone waits for it. Owns
// everything below the engine. Knows nothing of text: the token map is given to it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/metrics.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/engram/engram_metrics.h"
#include "engine/engram/engram_prefetcher.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/storage/placement.h"
#include "engine/engram/storage/table_storage.h"
#include "engine/engram/token_map.h"
#include "engine/model/model.h"
#include "engine/options.h"
#include "engine/runtime/executor.h"
#include "engine/runtime/memory_plan.h"
#include "kernels/backend.h"

namespace engram {

struct ModelRuntimeOptions {
  std::string model_directory;
  bool dummy_weights = false;  // random ones, from config.json alone
  std::uint64_t seed = 0;      // of dummy weights
  std::string backend = "auto";
  int threads = 0;  // 0 = one per processor the process may run on
  // Complete but for block_count and ngram_order_max; max_model_len 0 = the model's own.
  SchedulerOptions scheduler;
  std::optional<std::int64_t> kv_cache_bytes;  // absent: see CountBlocks
  EngramPrefetchMode prefetch = EngramPrefetchMode::kAhead;
  int prefetch_workers = 1;
  MetricsRegistry* metrics = nullptr;  // null = none; must outlive the runtime
  EngramStorageOptions engram_storage;
};

class ModelRuntime {
 public:
  // Told what begins: "opening", "weights", "cache", "tables" (with Engram), "warm-up".
  using Progress = std::function<void(std::string_view phase)>;

  // `token_map`: the tokenizer's; ignored if the model has no Engram. Errors name file, tensor or
  // setting; ResourceExhausted if the cache does not fit.
  static absl::StatusOr<std::unique_ptr<ModelRuntime>> Load(const ModelRuntimeOptions& options,
                                                            TokenMap token_map,
                                                            const Progress& progress);

  const ModelConfig& config() const { return model_->config(); }
  // The given ones, completed: what the scheduler must run with.
  const SchedulerOptions& scheduler_options() const { return scheduler_; }
  const MemoryPlan& memory_plan() const { return memory_plan_; }
  std::string_view backend_name() const { return backend_->name(); }
  // Thread-safe. Zeros for a model without Engram.
  EngramPrefetchStats prefetch_stats() const;
  // One per Engram layer.
  std::vector<EngramTableStats> table_stats() const;

  // For the engine, once. This object must outlive it.
  std::unique_ptr<Executor> TakeExecutor() { return std::move(executor_); }

  // The same model and tables once more, prefetched otherwise: two that take turns can be compared.
  // `token_map` as in Load. REQUIRES: the model has Engram; one executor runs at a time; `executor`
  // goes before `prefetcher`, both before this object.
  struct OtherPrefetch {
    std::unique_ptr<EngramPrefetcher> prefetcher;
    std::unique_ptr<Executor> executor;
  };
  OtherPrefetch MakeOtherPrefetchForTest(EngramPrefetchMode mode, TokenMap token_map);

 private:
  ModelRuntime() = default;

  absl::Status Open(const ModelRuntimeOptions& options);
  absl::Status PlaceWeights(const ModelRuntimeOptions& options);
  absl::Status PlaceTables(const ModelRuntimeOptions& options, const TokenMap& token_map);
  absl::Status CompleteOptions(const ModelRuntimeOptions& options);
  absl::Status OpenTables(const ModelRuntimeOptions& options);
  void MakePrefetcher(const ModelRuntimeOptions& options, TokenMap token_map);
  std::unique_ptr<EngramPrefetcher> NewPrefetcher(EngramPrefetchMode mode, int workers,
                                                  TokenMap token_map) const;
  std::vector<const EngramTable*> Tables() const;
  ModelCacheShape CacheShape() const;
  std::unique_ptr<Executor> MakeExecutor(EngramPrefetcher* prefetcher);
  void WarmUp();

  // Constant after Load. Later ones use earlier ones and go first.
  ModelConfig config_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  SchedulerOptions scheduler_;
  std::vector<TableSource> table_sources_;  // [Engram layers]
  PlacementChoice placement_;
  MemoryPlan memory_plan_;
  std::vector<std::unique_ptr<EngramTable>> tables_;  // [Engram layers]
  std::unique_ptr<EngramPrefetcher> prefetcher_;      // null without Engram
  std::unique_ptr<EngramMetrics> engram_metrics_;     // null without Engram or a registry
  std::unique_ptr<Executor> executor_;                // null once taken
};

}  // namespace engram
