// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/model_runtime.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "base/check.h"
#include "base/field_error.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/engram_layout.h"
#include "engine/model/model_config.h"
#include "engine/step_plan.h"
#include "kernels/backend_factory.h"

namespace engram {
namespace {

// Enough for every expert of a small model to be read once; a short wait for a large one.
constexpr int kWarmUpTokens = 16;
// Threads that may gather besides the prefetch workers: the engine's, and one that looks ahead.
constexpr int kReadersBesideWorkers = 2;

// The field's name is a payload for clients; whoever starts the server reads the message alone.
absl::Status NameField(const absl::Status& status) {
  const std::optional<std::string> field = FieldOf(status);
  if (!field) return status;
  return absl::Status(status.code(), *field + " " + Message(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelRuntime>> ModelRuntime::Load(const ModelRuntimeOptions& options,
                                                                 TokenMap token_map,
                                                                 const Progress& progress) {
  std::unique_ptr<ModelRuntime> runtime(new ModelRuntime);
  progress("opening");
  RETURN_IF_ERROR(runtime->Open(options));
  progress("weights");
  RETURN_IF_ERROR(runtime->PlaceWeights(options));
  progress("cache");
  RETURN_IF_ERROR(runtime->PlaceTables(options, token_map));
  RETURN_IF_ERROR(runtime->CompleteOptions(options));
  if (runtime->config_.has_engram()) progress("tables");
  RETURN_IF_ERROR(runtime->OpenTables(options));
  runtime->MakePrefetcher(options, std::move(token_map));
  runtime->model_->AllocateCache(runtime->CacheShape(), runtime->scheduler_.max_num_batched_tokens);
  runtime->executor_ = runtime->MakeExecutor(runtime->prefetcher_.get());
  progress("warm-up");
  runtime->WarmUp();
  return runtime;
}

absl::Status ModelRuntime::Open(const ModelRuntimeOptions& options) {
  ASSIGN_OR_RETURN(config_, ModelConfig::Load(options.model_directory));
  if (options.dummy_weights) {
    checkpoint_ = Checkpoint::Dummy(options.seed, config_.dtype);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(checkpoint_, Checkpoint::Open(options.model_directory));
  return absl::OkStatus();
}

absl::Status ModelRuntime::PlaceWeights(const ModelRuntimeOptions& options) {
  backend_ = MakeBackend(options.backend, {.threads = options.threads});
  if (backend_ == nullptr) {
    std::string names = "auto";
    for (const std::string& name : BackendNames()) names += ", " + name;
    return absl::InvalidArgumentError("backend \"" + options.backend +
                                      "\" is none of this build's: " + names);
  }
  ASSIGN_OR_RETURN(model_, LoadModel(config_, checkpoint_.get(), backend_.get()));
  return absl::OkStatus();
}

// Weights are mapped: what they take of the page cache counts as available, but is not to spare.
absl::Status ModelRuntime::PlaceTables(const ModelRuntimeOptions& options,
                                       const TokenMap& token_map) {
  if (!config_.has_engram()) return absl::OkStatus();
  const EngramConfig& engram = config_.engram;
  RETURN_IF_ERROR(CheckTokenMap(engram, token_map));
  ASSIGN_OR_RETURN(const std::vector<EngramTableLayout> layouts, MakeEngramTableLayouts(engram));
  std::int64_t tables_bytes = 0;
  for (const TableTensors& table : model_->engram_tables()) {
    const std::size_t layer = table_sources_.size();
    const HashMultipliers multipliers = MakeHashMultipliers(
        engram.seed, engram.layer_ids[layer], token_map.compressed_size(), engram.max_ngram_size);
    table_sources_.push_back({.rows = table.values->shape[0],
                              .format = table.format,
                              .values = RegionOf(table.values),
                              .scales = RegionOf(table.scales),
                              .name = table.values->name,
                              .hash_checksum = LayoutChecksum(layouts[layer], multipliers)});
    tables_bytes += static_cast<std::int64_t>(table.bytes());
  }
  memory_plan_.tables_bytes = tables_bytes;
  const std::int64_t weights = checkpoint_->total_bytes() - tables_bytes;
  const std::int64_t available = std::max<std::int64_t>(0, AvailableMemoryBytes() - weights);
  ASSIGN_OR_RETURN(placement_,
                   engram::PlaceTables(options.engram_storage, table_sources_, available));
  memory_plan_.tables_storage = PlacementName(placement_.placement);
  memory_plan_.tables_memory_bytes = placement_.memory_bytes();
  return absl::OkStatus();
}

absl::Status ModelRuntime::CompleteOptions(const ModelRuntimeOptions& options) {
  scheduler_ = options.scheduler;
  if (scheduler_.max_model_len == 0) scheduler_.max_model_len = config_.max_position_embeddings;
  if (scheduler_.max_model_len > config_.max_position_embeddings) {
    return absl::InvalidArgumentError(
        "max-model-len is " + std::to_string(scheduler_.max_model_len) +
        ", but the model was made for max_position_embeddings " +
        std::to_string(config_.max_position_embeddings) + " (config.json)");
  }
  scheduler_.ngram_order_max = config_.has_engram() ? config_.engram.max_ngram_size : 1;
  scheduler_.block_count = 1;  // until it is counted below
  RETURN_IF_ERROR(NameField(ValidateSchedulerOptions(scheduler_)));
  const ModelMemory memory = model_->MemoryNeeds(scheduler_.max_num_batched_tokens);
  std::int64_t available = AvailableMemoryBytes();
  if (available > 0) available = std::max<std::int64_t>(1, available - placement_.memory_bytes());
  ASSIGN_OR_RETURN(scheduler_.block_count,
                   CountBlocks(scheduler_, memory, options.kv_cache_bytes, available));

  memory_plan_.weights_bytes = checkpoint_->total_bytes() - memory_plan_.tables_bytes;
  memory_plan_.cache_bytes = CacheBytes(scheduler_, memory);
  memory_plan_.activation_bytes = memory.activation_bytes + Executor::LogitsBytes(config_);
  memory_plan_.block_count = scheduler_.block_count;
  memory_plan_.block_size = scheduler_.block_size;
  memory_plan_.max_model_len = scheduler_.max_model_len;
  LogMemoryPlan(memory_plan_);
  return absl::OkStatus();
}

absl::Status ModelRuntime::OpenTables(const ModelRuntimeOptions& options) {
  const int readers = options.prefetch_workers + kReadersBesideWorkers;
  ASSIGN_OR_RETURN(tables_,
                   engram::OpenTables(options.engram_storage, placement_, table_sources_, readers));
  return absl::OkStatus();
}

std::vector<const EngramTable*> ModelRuntime::Tables() const {
  std::vector<const EngramTable*> tables;
  for (const std::unique_ptr<EngramTable>& table : tables_) tables.push_back(table.get());
  return tables;
}

std::unique_ptr<EngramPrefetcher> ModelRuntime::NewPrefetcher(EngramPrefetchMode mode, int workers,
                                                              TokenMap token_map) const {
  return std::make_unique<EngramPrefetcher>(
      config_.engram, std::move(token_map), Tables(),
      EngramPrefetcherOptions{.mode = mode,
                              .workers = workers,
                              .rows_max = scheduler_.max_num_batched_tokens,
                              .upcoming_tokens_max = scheduler_.upcoming_tokens_max});
}

void ModelRuntime::MakePrefetcher(const ModelRuntimeOptions& options, TokenMap token_map) {
  if (!config_.has_engram()) return;
  const std::vector<const EngramTable*> tables = Tables();
  // Two steps' worth: what the next one reads is there, and the one after it is on its way.
  const bool hints = options.prefetch == EngramPrefetchMode::kAhead &&
                     std::ranges::any_of(tables, &EngramTable::takes_hints);
  scheduler_.upcoming_tokens_max = hints ? 2 * scheduler_.max_num_batched_tokens : 0;
  prefetcher_ = NewPrefetcher(options.prefetch, options.prefetch_workers, std::move(token_map));
  if (options.metrics != nullptr) {
    engram_metrics_ = std::make_unique<EngramMetrics>(options.metrics, config_.engram.layer_ids,
                                                      tables, prefetcher_.get());
  }
}

ModelCacheShape ModelRuntime::CacheShape() const {
  return {.block_count = scheduler_.block_count,
          .block_size = scheduler_.block_size,
          .state_slots = scheduler_.max_num_seqs,
          .positions_max = scheduler_.max_model_len};
}

std::unique_ptr<Executor> ModelRuntime::MakeExecutor(EngramPrefetcher* prefetcher) {
  const StepBatchLimits limits = {
      .rows_max = scheduler_.max_num_batched_tokens,
      .slices_max = scheduler_.max_num_seqs,
      .has_rolling_state = config_.has_engram() && config_.conv_window() > 0};
  return std::make_unique<Executor>(limits, CacheShape(), model_.get(), prefetcher,
                                    engram_metrics_.get(), backend_.get());
}

ModelRuntime::OtherPrefetch ModelRuntime::MakeOtherPrefetchForTest(EngramPrefetchMode mode,
                                                                   TokenMap token_map) {
  CHECK(config_.has_engram());
  OtherPrefetch other;
  other.prefetcher = NewPrefetcher(mode, /*workers=*/1, std::move(token_map));
  other.executor = MakeExecutor(other.prefetcher.get());
  return other;
}

// One prompt in the cache's first blocks and slot. Whoever gets them later writes before reading.
void ModelRuntime::WarmUp() {
  const int tokens = std::min({kWarmUpTokens, scheduler_.max_model_len,
                               scheduler_.max_num_batched_tokens, config_.vocab_size});
  StepPlan plan;
  for (int token = 0; token < tokens; ++token) plan.token_ids.push_back(token);
  const int blocks = (tokens + scheduler_.block_size - 1) / scheduler_.block_size;
  for (int block = 0; block < blocks; ++block) plan.block_ids.push_back(BlockId(block));
  SequenceSlice& slice = plan.slices.emplace_back();
  slice.row_count = tokens;
  slice.block_count = blocks;
  SamplingParams greedy;
  greedy.temperature = 0;
  SampleRow& sample = plan.samples.emplace_back();
  sample.row = tokens - 1;
  sample.params = &greedy;
  executor_->Execute(plan);
}

EngramPrefetchStats ModelRuntime::prefetch_stats() const {
  return prefetcher_ == nullptr ? EngramPrefetchStats{} : prefetcher_->stats();
}

std::vector<EngramTableStats> ModelRuntime::table_stats() const {
  std::vector<EngramTableStats> stats;
  for (const std::unique_ptr<EngramTable>& table : tables_) stats.push_back(table->stats());
  return stats;
}

}  // namespace engram
