// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/table_command.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"
#include "tools/bench/checkpoint/generated_checkpoint.h"
#include "tools/bench/table/disk_limit.h"
#include "tools/bench/table/memory_limit.h"
#include "tools/bench/table/row_batches.h"
#include "tools/bench/table/storages.h"
#include "tools/bench/table/uring_limit.h"

namespace engram::bench {
namespace {

constexpr double kCachedShareMin = 0.99;  // a file that is "in the page cache"
constexpr double kCachedShareMax = 0.01;  // one that is not

void Say(const std::string& what) { std::fprintf(stderr, "%s\n", what.c_str()); }

class TableBench {
 public:
  explicit TableBench(const TableOptions& options) : options_(options) {}

  absl::StatusOr<TableReport> Run() {
    RETURN_IF_ERROR(FindTable());
    RETURN_IF_ERROR(MeasureLimits());
    for (const std::string& storage : options_.storages) {
      if (SourceOf(storage) == RowsComeFrom::kMemory) {
        RETURN_IF_ERROR(Load(storage));
        if (loaded_.has_value()) RETURN_IF_ERROR(RunState(storage, CacheState::kWarm));
        loaded_.reset();
        continue;
      }
      for (const std::string& state : options_.states) {
        const bool warm = state == "warm";
        RETURN_IF_ERROR(RunState(storage, warm ? CacheState::kWarm : CacheState::kCold));
      }
    }
    return std::move(report_);
  }

 private:
  bool IsAsked(const std::string& state) const {
    return std::ranges::find(options_.states, state) != options_.states.end();
  }

  bool IsNeeded(RowsComeFrom source) const {
    return std::ranges::any_of(options_.storages, [source](const std::string& storage) {
      return SourceOf(storage) == source;
    });
  }

  // Which table, its file, and the text's tokens if there is a text.
  absl::Status FindTable() {
    ASSIGN_OR_RETURN(const GeneratedCheckpoint checkpoint, OpenGenerated(options_.directory));
    const auto& tables = checkpoint.tables;
    const auto found = std::ranges::find_if(tables, [&](const GeneratedTable& table) {
      return table.layer_id == options_.layer.value_or(tables.front().layer_id);
    });
    if (found == tables.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--layer is ", *options_.layer, ", but the model's first layer with a table ", "is ",
          tables.front().layer_id, ", its last ", tables.back().layer_id));
    }
    layer_index_ = static_cast<int>(found - tables.begin());
    paths_ = found->paths;
    report_.directory = options_.directory;
    report_.layer_id = found->layer_id;
    report_.table_rows = found->source.rows;
    report_.row_bytes = static_cast<std::int64_t>(found->content.row_bytes());
    if (options_.text_path.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(TextTokens text,
                     ReadTextTokens(options_.text_path, options_.directory, checkpoint.config));
    text_ = std::move(text);
    return absl::OkStatus();
  }

  absl::Status MeasureLimits() {
    const bool in_memory = IsNeeded(RowsComeFrom::kMemory);
    if (in_memory || IsAsked("warm")) RETURN_IF_ERROR(MeasureMemory());
    if (in_memory || IsNeeded(RowsComeFrom::kDrive) || IsAsked("cold")) return MeasureDrive();
    return absl::OkStatus();
  }

  absl::Status MeasureMemory() {
    const auto asked = static_cast<std::int64_t>(
        1e9 * options_.limit_gigabytes.value_or(1e-9 * static_cast<double>(TableBytes())));
    const std::int64_t bytes = std::min(asked, FreeMemoryBytes() / 2);
    Say(absl::StrFormat("limit: memory, %.2f GB", 1e-9 * static_cast<double>(bytes)));
    ASSIGN_OR_RETURN(const MemoryLimit memory,
                     MeasureMemoryLimit(bytes, report_.row_bytes, options_.threads));
    TableLimits& limits = report_.limits;
    limits.memory_bytes = memory.bytes;
    limits.memory_huge_page_share = memory.huge_page_share;
    for (std::size_t i = 0; i < options_.threads.size(); ++i) {
      limits.memory_rows_per_s[options_.threads[i]] = memory.rows_per_s[i];
    }
    return absl::OkStatus();
  }

  absl::Status MeasureDrive() {
    Say("limit: drive");
    const absl::StatusOr<DiskRate> sequential =
        MeasureSequentialReads(paths_.front(), /*threads=*/2, options_.seconds);
    if (absl::IsUnimplemented(sequential.status())) {
      report_.notes.push_back(Message(sequential.status()));
      return absl::OkStatus();
    }
    if (!sequential.ok()) return sequential.status();
    TableLimits& limits = report_.limits;
    limits.disk_sequential_bytes_per_s = sequential->bytes_per_s;
    for (const int threads : options_.threads) {
      for (const int batch : options_.batches) {
        double& rate = limits.disk_reads_per_s[DiskDepth(threads, batch)];
        if (rate > 0) continue;
        ASSIGN_OR_RETURN(
            const DiskRate disk,
            MeasureRandomReads(paths_.front(), DiskDepth(threads, batch), options_.seconds));
        rate = disk.reads_per_s;
        limits.disk_way = disk.way;
      }
    }
    return absl::OkStatus();
  }

  absl::Status MeasureBareBatches(TableRun* run) const {
    const absl::StatusOr<double> rate =
        MeasureUringBatches(paths_.front(), run->threads, run->batch, options_.seconds);
    if (absl::IsUnimplemented(rate.status())) return absl::OkStatus();  // the limit's way says so
    if (!rate.ok()) return rate.status();
    run->bare_batches_rows_per_s = *rate;
    return absl::OkStatus();
  }

  // Has the page cache as `state` wants it; an explanation if it cannot be had.
  absl::StatusOr<std::string> PrepareCache(const std::string& storage, CacheState state) {
    if (SourceOf(storage) != RowsComeFrom::kPageCache) return "";
    if (state == CacheState::kCold) {
      double share = 0;
      for (const std::string& path : paths_) {
        RETURN_IF_ERROR(DropFromCache(path));
        ASSIGN_OR_RETURN(const double cached, CachedShare(path));
        share = std::max(share, cached);
      }
      if (share <= kCachedShareMax) return "";
      return absl::StrFormat(
          "%s, cold: left out; %.0f %% of the file stays in the page cache, "
          "somebody else has it mapped",
          storage, 100 * share);
    }
    const auto too_big = [&](double share) {
      return absl::StrFormat(
          "%s, warm: left out; of the table's %.2f GB, %.0f %% stay in the page cache", storage,
          1e-9 * static_cast<double>(TableBytes()), 100 * share);
    };
    if (TableBytes() > FreeMemoryBytes()) return too_big(0);
    double share = 1;
    for (const std::string& path : paths_) {
      RETURN_IF_ERROR(BringIntoCache(path));
      ASSIGN_OR_RETURN(const double cached, CachedShare(path));
      share = std::min(share, cached);
    }
    return share >= kCachedShareMin ? "" : too_big(share);
  }

  absl::StatusOr<OpenedTable> Open(const std::string& storage) const {
    return OpenTable(storage, options_.directory, layer_index_, options_.cache_mebibytes << 20);
  }

  // Opens a storage that brings the table into memory, once for all its runs; leaves loaded_ empty
  // if it does not fit.
  absl::Status Load(const std::string& storage) {
    Say(absl::StrFormat("%s: loading %.2f GB", storage, 1e-9 * static_cast<double>(TableBytes())));
    for (const std::string& path : paths_) RETURN_IF_ERROR(DropFromCache(path));
    absl::StatusOr<OpenedTable> opened = Open(storage);
    if (absl::IsResourceExhausted(opened.status())) {
      report_.notes.push_back(absl::StrCat(storage, ": left out; ", Message(opened.status())));
      return absl::OkStatus();
    }
    if (!opened.ok()) return opened.status();
    loaded_ = *std::move(opened);
    const auto huge = static_cast<double>(loaded_->table->stats().huge_page_bytes);
    report_.loads.push_back({.storage = storage,
                             .seconds = loaded_->open_seconds,
                             .huge_page_share = huge / static_cast<double>(TableBytes())});
    return absl::OkStatus();
  }

  absl::Status RunState(const std::string& storage, CacheState state) {
    std::vector<std::string> kinds = {"random"};
    if (text_.has_value()) kinds.push_back("text");
    for (const std::string& ids : kinds) {
      for (const int threads : options_.threads) {
        for (const int batch : options_.batches) {
          ASSIGN_OR_RETURN(const std::string left_out, PrepareCache(storage, state));
          if (!left_out.empty()) {
            report_.notes.push_back(left_out);
            return absl::OkStatus();
          }
          TableRun run{.storage = storage,
                       .state = state,
                       .ids = ids,
                       .threads = threads,
                       .batch = batch,
                       .result = {},
                       .limit_rows_per_s = 0,
                       .bare_batches_rows_per_s = 0};
          RETURN_IF_ERROR(Measure(&run));
          report_.runs.push_back(std::move(run));
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status Measure(TableRun* run) {
    const bool warm = run->state == CacheState::kWarm;
    Say(absl::StrFormat("%s, %s, %s ids, %d threads, batches of %d", run->storage,
                        warm ? "warm" : "cold", run->ids, run->threads, run->batch));
    ASSIGN_OR_RETURN(const std::vector<RowBatches> batches, MakeBatches(*run));
    if (SourceOf(run->storage) == RowsComeFrom::kDrive) RETURN_IF_ERROR(MeasureBareBatches(run));
    if (!loaded_.has_value()) {
      ASSIGN_OR_RETURN(const OpenedTable opened, Open(run->storage));
      RETURN_IF_ERROR(Gather(opened, batches, run));
    } else {
      RETURN_IF_ERROR(Gather(*loaded_, batches, run));
    }
    const TableLimits& limits = report_.limits;
    const RowsComeFrom source = SourceOf(run->storage);
    if (source == RowsComeFrom::kMemory || (warm && source == RowsComeFrom::kPageCache)) {
      run->limit_rows_per_s = limits.memory_rows_per_s.at(run->threads);
    } else if (!limits.disk_reads_per_s.empty()) {
      run->limit_rows_per_s = limits.disk_reads_per_s.at(DiskDepth(run->threads, run->batch));
    }
    return absl::OkStatus();
  }

  absl::Status Gather(const OpenedTable& opened, const std::vector<RowBatches>& batches,
                      TableRun* run) const {
    const bool warm = run->state == CacheState::kWarm;
    if (warm) RETURN_IF_ERROR(WarmUp(*opened.table, batches));
    ASSIGN_OR_RETURN(
        run->result,
        RunGather(
            *opened.table, opened.checkpoint.tables[layer_index_].content, batches,
            {.seconds = options_.seconds, .check_every = options_.check_every, .repeat = warm}));
    return absl::OkStatus();
  }

  // One list per thread, all different; random ones each time: whatever lies under a virtual drive
  // may have kept what the run before has read.
  absl::StatusOr<std::vector<RowBatches>> MakeBatches(const TableRun& run) const {
    std::vector<RowBatches> batches;
    for (int thread = 0; thread < run.threads; ++thread) {
      if (run.ids == "random") {
        batches.push_back(
            RandomBatches(report_.table_rows, run.batch, options_.rows, std::random_device()()));
        continue;
      }
      const std::size_t first = text_->ids.size() * thread / run.threads;
      batches.push_back(
          TextBatches(text_->hasher, layer_index_, text_->ids, first, run.batch, options_.rows));
      if (batches.back().count() > 0) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          options_.text_path, ": its ", text_->ids.size(), " tokens do not fill a batch of ",
          run.batch, " rows per thread; take a longer text or smaller batches"));
    }
    return batches;
  }

  static int DiskDepth(int threads, int batch) {
    return std::min<std::int64_t>(std::int64_t{threads} * batch, kUringDepthMax);
  }
  std::int64_t TableBytes() const { return report_.table_bytes(); }

  const TableOptions& options_;
  int layer_index_ = 0;
  std::vector<std::string> paths_;  // of the table's files, the values' first
  std::optional<TextTokens> text_;
  std::optional<OpenedTable> loaded_;  // of a storage that keeps the table in memory
  TableReport report_;
};

}  // namespace

void AddTableFlags(CLI::App& command, TableOptions* options) {
  options->storages = StorageNames();
  command.add_option("directory", options->directory, "What make-checkpoint made")->required();
  command.add_option("--layer", options->layer, "Layer id; else the first with a table");
  command.add_option("--storage", options->storages, "A list; each is measured")
      ->delimiter(',')
      ->check(CLI::IsMember(StorageNames()))
      ->capture_default_str();
  command
      .add_option("--state", options->states,
                  "warm: every row was fetched before; cold: none, and the file is not cached")
      ->delimiter(',')
      ->check(CLI::IsMember({"warm", "cold"}))
      ->capture_default_str();
  command.add_option("--threads", options->threads, "That gather at once; a list")
      ->delimiter(',')
      ->check(CLI::Range(1, limits::kThreadsMax))
      ->capture_default_str();
  command.add_option("--batch", options->batches, "Rows of one Gather; a list")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command.add_option("--text", options->text_path, "Text file: its tokens' rows too");
  command.add_option("--seconds", options->seconds, "Of gathering, for each combination")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  command
      .add_option("--check-every", options->check_every, "1 = every row, N = each N-th, 0 = none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--rows", options->rows, "Rows per thread before they come round again")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->capture_default_str();
  command
      .add_option("--cache-mib", options->cache_mebibytes, "A storage's cache of rows, 0 = none")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 20))
      ->capture_default_str();
  command
      .add_option("--limit-gb", options->limit_gigabytes,
                  "Memory for its limit; else as much as the table, at most half of what is free")
      ->check(CLI::PositiveNumber);
  command.add_option("--json", options->json_path, "Also write the results here");
}

absl::StatusOr<TableReport> RunTable(const TableOptions& options) {
  return TableBench(options).Run();
}

}  // namespace engram::bench
