// SPDX-License-Identifier: Apache-2.0
// A layer's lookups are cut into jobs. Workers take them from the earliest layer on; the engine
// thread, in Rows, takes those of its own layer that nobody has begun. kAtLayer is the same with no
// workers.
#include "engine/engram/engram_prefetcher.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/strings.h"
#include "engine/engram/job_board.h"
#include "engine/engram/ngram_hasher.h"
#include "engine/engram/read_ahead.h"
#include "engine/engram/row_gatherer.h"
#include "engine/engram/step_windows.h"

namespace engram {
namespace {

// Row copies (tokens · lookups) per job: enough to overlap a table's reads and to make the claim
// cheap; few enough for a large step to occupy all workers, and for Start to wait little when it
// drops one.
constexpr int kCopiesPerJob = 1024;

// Of one layer. Written by any thread, read by any.
struct AtomicStats {
  std::atomic<std::uint64_t> lookups{0};
  std::atomic<std::uint64_t> rows{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> gather_ns{0};
  std::atomic<std::uint64_t> stall_ns{0};
};

void Add(std::atomic<std::uint64_t>* counter, std::uint64_t by) {
  counter->fetch_add(by, std::memory_order_relaxed);
}

NgramHasher CreateHasher(const EngramConfig& config, TokenMap token_map) {
  auto hasher = NgramHasher::Create(config, std::move(token_map));
  CHECK_MSG(hasher.ok(), Message(hasher.status()));
  return *std::move(hasher);
}

// Of one job: a single lookup of the largest step, or several lookups of a small one.
std::size_t CopiesMax(const EngramPrefetcherOptions& options) {
  return static_cast<std::size_t>(std::max(options.rows_max, kCopiesPerJob));
}

}  // namespace

struct EngramPrefetcher::Impl {
  Impl(const EngramConfig& config, TokenMap token_map, std::vector<const EngramTable*> tables_in,
       EngramPrefetcherOptions options_in);
  ~Impl();

  void Start(const StepPlan& plan);
  const std::byte* Rows(int layer_index);
  std::vector<StepRowFailure> TakeFailures();

  void Work(RowGatherer* gatherer);
  void Run(JobBoard::Job job, RowGatherer* gatherer);
  std::uint64_t NanosecondsSince(TimePoint begin) const {
    return static_cast<std::uint64_t>((clock.Now() - begin).count());
  }

  // Constant after construction.
  const NgramHasher hasher;
  const std::vector<const EngramTable*> tables;
  const EngramPrefetcherOptions options;
  const SteadyClock clock;

  // Written by Start while no job runs, read by the jobs.
  StepWindows step;
  int lookups_per_job = 0;

  // Per layer [rows_max, H, h_d], table dtype: each job writes its own lookups.
  std::vector<std::vector<std::byte>> staging;
  RowGatherer own_gatherer;                  // the engine thread's
  std::deque<RowGatherer> worker_gatherers;  // one per worker
  std::atomic<std::uint64_t> steps{0};
  std::deque<AtomicStats> layer_stats;  // [layers]
  JobBoard board;
  bool started = false;  // the engine thread's

  std::mutex failures_mutex;
  std::vector<StepRowFailure> failures;  // protected by failures_mutex; of this step

  std::vector<std::thread> workers;
  std::unique_ptr<ReadAhead> read_ahead;  // null: nobody is told early
};

EngramPrefetcher::Impl::Impl(const EngramConfig& config, TokenMap token_map,
                             std::vector<const EngramTable*> tables_in,
                             EngramPrefetcherOptions options_in)
    : hasher(CreateHasher(config, std::move(token_map))),
      tables(std::move(tables_in)),
      options(options_in),
      step(options.rows_max, hasher.lookback()),
      own_gatherer(CopiesMax(options)),
      layer_stats(hasher.layer_count()),
      board(hasher.layer_count()) {
  CHECK_GT(hasher.layer_count(), 0);
  CHECK_EQ(tables.size(), static_cast<std::size_t>(hasher.layer_count()));
  for (int i = 0; i < hasher.layer_count(); ++i) {
    CHECK_EQ(tables[i]->rows(), hasher.table_rows(i));
    CHECK_EQ(tables[i]->format().head_dim, config.head_dim);
    staging.emplace_back(static_cast<std::size_t>(options.rows_max) * hasher.lookups() *
                         tables[i]->row_bytes());
  }
  if (options.mode == EngramPrefetchMode::kAtLayer) return;
  CHECK_GT(options.workers, 0);
  for (int i = 0; i < options.workers; ++i) {
    RowGatherer* gatherer = &worker_gatherers.emplace_back(CopiesMax(options));
    workers.emplace_back([this, gatherer] { Work(gatherer); });
  }
  if (options.upcoming_tokens_max == 0) return;
  read_ahead = std::make_unique<ReadAhead>(&hasher, tables, &board, options.upcoming_tokens_max);
}

EngramPrefetcher::Impl::~Impl() {
  board.Close();
  for (std::thread& worker : workers) worker.join();
}

void EngramPrefetcher::Impl::Start(const StepPlan& plan) {
  board.Drop();
  TakeFailures();  // of a step that was given up
  step.Assign(plan, hasher);
  lookups_per_job = std::clamp(kCopiesPerJob / std::max(1, step.rows()), 1, hasher.lookups());
  board.Post((hasher.lookups() + lookups_per_job - 1) / lookups_per_job);
  started = true;
  if (read_ahead != nullptr) read_ahead->Update(plan);
  Add(&steps, 1);
}

const std::byte* EngramPrefetcher::Impl::Rows(int layer_index) {
  CHECK(started);
  CHECK_GE(layer_index, 0);
  CHECK_LT(layer_index, hasher.layer_count());
  if (!board.IsReady(layer_index)) {
    const TimePoint begin = clock.Now();
    while (const auto job = board.TryTake(layer_index)) Run(*job, &own_gatherer);
    board.WaitUntilReady(layer_index);
    Add(&layer_stats[layer_index].stall_ns, NanosecondsSince(begin));
  }
  return staging[layer_index].data();
}

std::vector<StepRowFailure> EngramPrefetcher::Impl::TakeFailures() {
  std::lock_guard lock(failures_mutex);
  return std::exchange(failures, {});
}

void EngramPrefetcher::Impl::Work(RowGatherer* gatherer) {
  while (const auto job = board.WaitForJob()) Run(*job, gatherer);
}

void EngramPrefetcher::Impl::Run(JobBoard::Job job, RowGatherer* gatherer) {
  const TimePoint begin = clock.Now();
  const int first = job.index * lookups_per_job;
  const LookupRange range{.layer_index = job.layer,
                          .first = first,
                          .count = std::min(lookups_per_job, hasher.lookups() - first)};
  const EngramTable& table = *tables[job.layer];
  std::vector<StepRowFailure> failed;
  const GatherCounts counts =
      gatherer->Gather(hasher, step, range, table, staging[job.layer].data(), &failed);
  if (!failed.empty()) {
    std::lock_guard lock(failures_mutex);
    failures.insert(failures.end(), failed.begin(), failed.end());
  }
  AtomicStats* const stats = &layer_stats[job.layer];
  Add(&stats->lookups, counts.lookups);
  Add(&stats->rows, counts.rows);
  Add(&stats->bytes, counts.rows * table.row_bytes());
  Add(&stats->gather_ns, NanosecondsSince(begin));
  board.Finish(job);
}

EngramPrefetcher::EngramPrefetcher(const EngramConfig& config, TokenMap token_map,
                                   std::vector<const EngramTable*> tables,
                                   EngramPrefetcherOptions options)
    : impl_(std::make_unique<Impl>(config, std::move(token_map), std::move(tables), options)) {}

EngramPrefetcher::~EngramPrefetcher() = default;

void EngramPrefetcher::Start(const StepPlan& plan) { impl_->Start(plan); }

void EngramPrefetcher::Sampled(const StepPlan& plan, std::span<const TokenResult> tokens) {
  if (impl_->read_ahead != nullptr) impl_->read_ahead->Sampled(plan, tokens);
}

const std::byte* EngramPrefetcher::Rows(int layer_index) { return impl_->Rows(layer_index); }

std::vector<StepRowFailure> EngramPrefetcher::TakeFailures() { return impl_->TakeFailures(); }

EngramPrefetchStats EngramPrefetcher::stats() const {
  EngramPrefetchStats sum{.steps = impl_->steps.load(std::memory_order_relaxed)};
  for (int i = 0; i < impl_->hasher.layer_count(); ++i) {
    const EngramPrefetchStats layer = layer_stats(i);
    sum.lookups += layer.lookups;
    sum.rows += layer.rows;
    sum.bytes += layer.bytes;
    sum.gather_ns += layer.gather_ns;
    sum.stall_ns += layer.stall_ns;
  }
  return sum;
}

EngramPrefetchStats EngramPrefetcher::layer_stats(int layer_index) const {
  CHECK_GE(layer_index, 0);
  CHECK_LT(layer_index, impl_->hasher.layer_count());
  const AtomicStats& stats = impl_->layer_stats[layer_index];
  return {.steps = impl_->steps.load(std::memory_order_relaxed),
          .lookups = stats.lookups.load(std::memory_order_relaxed),
          .rows = stats.rows.load(std::memory_order_relaxed),
          .bytes = stats.bytes.load(std::memory_order_relaxed),
          .gather_ns = stats.gather_ns.load(std::memory_order_relaxed),
          .stall_ns = stats.stall_ns.load(std::memory_order_relaxed)};
}

}  // namespace engram
