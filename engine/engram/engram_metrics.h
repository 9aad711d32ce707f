// SPDX-License-Identifier: Apache-2.0
// What fetching rows costs, as Prometheus metrics (the list: docs/ENGRAM.md) and as some words for
// the engine's periodic log line. Copies what the prefetcher and the tables count anyway; nothing
// is measured here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "engine/engram/engram_prefetcher.h"
#include "engine/engram/engram_table.h"

namespace engram {

// Engine thread only; the metrics themselves may be read from any.
class EngramMetrics {
 public:
  // `layer_ids` (the label) and `tables`: one per Engram layer, in the prefetcher's order. All but
  // the spans must outlive this.
  EngramMetrics(MetricsRegistry* registry, std::span<const int> layer_ids,
                std::span<const EngramTable* const> tables, const EngramPrefetcher* prefetcher);

  // Brings the metrics up to date. Once per step: some additions per layer.
  void Update();

  // "Engram: 20480 rows (93.1% unique), …" about what Update has seen since the last call, all
  // layers together; empty if no row was asked for.
  std::string TakeLogNote();

 private:
  // One layer's totals since the start, as of the last Update, and where they are shown.
  struct Layer {
    const EngramTable* table = nullptr;
    EngramPrefetchStats fetched;
    EngramTableStats stored;
    Counter* lookups = nullptr;
    Counter* unique_rows = nullptr;
    Counter* storage_bytes = nullptr;
    Counter* cache_bytes = nullptr;
    Counter* gather_seconds = nullptr;
    Counter* stall_seconds = nullptr;
    Counter* cache_lookups = nullptr;
    Counter* cache_hits = nullptr;
    Counter* disk_reads = nullptr;
    Counter* disk_bytes = nullptr;
    Counter* disk_seconds = nullptr;
    Counter* disk_failures = nullptr;
    Gauge* huge_page_bytes = nullptr;
  };

  // What the log note tells, of all layers.
  struct Totals {
    std::uint64_t lookups = 0;
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    std::uint64_t gather_ns = 0;
    std::uint64_t stall_ns = 0;
    std::uint64_t cache_lookups = 0;
    std::uint64_t cache_hits = 0;
  };

  static Layer AddLayer(MetricsRegistry* registry, int layer_id, const EngramTable* table);
  static void Export(const Layer& layer);

  const EngramPrefetcher* const prefetcher_;
  Counter* steps_ = nullptr;
  std::vector<Layer> layers_;
  Totals logged_;  // as of the last TakeLogNote
};

}  // namespace engram
