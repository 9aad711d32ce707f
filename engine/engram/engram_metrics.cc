// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/engram_metrics.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace engram {
namespace {

// Brings a counter to a total that is counted elsewhere. Totals are read while others add to them:
// one that seems to shrink (a difference of two) catches up next time.
void RaiseTo(Counter* counter, double total) {
  const double more = total - counter->value();
  if (more > 0) counter->Add(more);
}
void RaiseTo(Counter* counter, std::uint64_t total) {
  RaiseTo(counter, static_cast<double>(total));
}
void RaiseToSeconds(Counter* counter, std::uint64_t nanoseconds) {
  RaiseTo(counter, static_cast<double>(nanoseconds) * 1e-9);
}

double Percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

EngramMetrics::EngramMetrics(MetricsRegistry* registry, std::span<const int> layer_ids,
                             std::span<const EngramTable* const> tables,
                             const EngramPrefetcher* prefetcher)
    : prefetcher_(prefetcher) {
  CHECK_EQ(layer_ids.size(), tables.size());
  steps_ = registry->AddCounter("engram_steps_total", "Engine steps whose rows were fetched.");
  for (std::size_t i = 0; i < tables.size(); ++i) {
    layers_.push_back(AddLayer(registry, layer_ids[i], tables[i]));
  }
}

EngramMetrics::Layer EngramMetrics::AddLayer(MetricsRegistry* registry, int layer_id,
                                             const EngramTable* table) {
  const MetricLabels labels = {{"layer", std::to_string(layer_id)}};
  const auto with = [&](const char* name, std::string_view value) {
    MetricLabels more = labels;
    more.emplace_back(name, value);
    return more;
  };
  const auto counter = [&](const char* name, const char* help) {
    return registry->AddCounter(name, help, labels);
  };
  const EngramTableStats stats = table->stats();
  const auto bytes_from = [&](std::string_view tier) {
    return registry->AddCounter("engram_row_bytes_total",
                                "Bytes of different rows, by where they came from.",
                                with("tier", tier));
  };
  registry->AddGauge("engram_table_bytes", "Size of a layer's table.", with("tier", stats.tier))
      ->Set(static_cast<double>(stats.bytes));
  return {
      .table = table,
      .fetched = {},
      .stored = {},
      .lookups = counter("engram_lookups_total", "Rows that tokens asked for."),
      .unique_rows = counter("engram_unique_rows_total",
                             "Different rows among those that were fetched together."),
      .storage_bytes = bytes_from(stats.tier),
      .cache_bytes = bytes_from("row_cache"),
      .gather_seconds = counter("engram_gather_seconds_total",
                                "Time spent on hashing and gathering, all threads together."),
      .stall_seconds = counter("engram_stall_seconds_total",
                               "Time that a layer waited because its rows were not there."),
      .cache_lookups =
          counter("engram_row_cache_lookups_total", "Rows sought in the storage's row cache."),
      .cache_hits =
          counter("engram_row_cache_hits_total", "Rows found in the storage's row cache."),
      .disk_reads = counter("engram_disk_reads_total", "Reads that the storage issued."),
      .disk_bytes = counter("engram_disk_read_bytes_total", "Bytes that these reads brought."),
      .disk_seconds = counter("engram_disk_read_seconds_total",
                              "Sum of the times of these reads; its rate is the average number of "
                              "reads under way (queue depth)."),
      .disk_failures = counter("engram_disk_read_failures_total",
                               "Reads that gave an error or too little, tried again or not."),
      .huge_page_bytes = registry->AddGauge("engram_table_huge_page_bytes",
                                            "Part of the table in memory on huge pages.", labels),
  };
}

void EngramMetrics::Update() {
  RaiseTo(steps_, prefetcher_->stats().steps);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    layer.fetched = prefetcher_->layer_stats(static_cast<int>(i));
    layer.stored = layer.table->stats();
    Export(layer);
  }
}

void EngramMetrics::Export(const Layer& layer) {
  const EngramPrefetchStats& fetched = layer.fetched;
  const EngramTableStats& stored = layer.stored;
  const std::uint64_t cache_bytes = stored.row_cache_hits * layer.table->row_bytes();
  RaiseTo(layer.lookups, fetched.lookups);
  RaiseTo(layer.unique_rows, fetched.rows);
  RaiseTo(layer.storage_bytes, fetched.bytes - std::min(fetched.bytes, cache_bytes));
  RaiseTo(layer.cache_bytes, cache_bytes);
  RaiseToSeconds(layer.gather_seconds, fetched.gather_ns);
  RaiseToSeconds(layer.stall_seconds, fetched.stall_ns);
  RaiseTo(layer.cache_lookups, stored.row_cache_lookups);
  RaiseTo(layer.cache_hits, stored.row_cache_hits);
  RaiseTo(layer.disk_reads, stored.disk_reads);
  RaiseTo(layer.disk_bytes, stored.disk_read_bytes);
  RaiseToSeconds(layer.disk_seconds, stored.disk_read_ns);
  RaiseTo(layer.disk_failures, stored.disk_read_failures);
  layer.huge_page_bytes->Set(static_cast<double>(stored.huge_page_bytes));
}

std::string EngramMetrics::TakeLogNote() {
  Totals now;
  for (const Layer& layer : layers_) {
    now.lookups += layer.fetched.lookups;
    now.rows += layer.fetched.rows;
    now.bytes += layer.fetched.bytes;
    now.gather_ns += layer.fetched.gather_ns;
    now.stall_ns += layer.fetched.stall_ns;
    now.cache_lookups += layer.stored.row_cache_lookups;
    now.cache_hits += layer.stored.row_cache_hits;
  }
  const Totals before = std::exchange(logged_, now);
  const std::uint64_t lookups = now.lookups - before.lookups;
  if (lookups == 0) return "";
  const auto millionth = [](std::uint64_t total, std::uint64_t total_before) {
    return static_cast<double>(total - total_before) * 1e-6;
  };
  char note[256];
  std::snprintf(note, std::size(note),
                "Engram: %" PRIu64 " rows (%.1f%% unique, %.1f MB), gather %.1f ms, stall %.1f ms",
                lookups, Percent(now.rows - before.rows, lookups),
                millionth(now.bytes, before.bytes), millionth(now.gather_ns, before.gather_ns),
                millionth(now.stall_ns, before.stall_ns));
  std::string out = note;
  if (const std::uint64_t sought = now.cache_lookups - before.cache_lookups; sought > 0) {
    std::snprintf(note, std::size(note), ", row cache hit rate: %.1f%%",
                  Percent(now.cache_hits - before.cache_hits, sought));
    out += note;
  }
  return out;
}

}  // namespace engram
