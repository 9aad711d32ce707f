// SPDX-License-Identifier: Apache-2.0
// What `engram-bench table` found, as Markdown for people and docs/bench, and as JSON.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/bench/table/gather_run.h"

namespace engram::bench {

// The best that this machine gave in the same run.
struct TableLimits {
  std::int64_t memory_bytes = 0;
  double memory_huge_page_share = 0;
  std::map<int, double> memory_rows_per_s;  // by threads; empty if not measured
  std::map<int, double> disk_reads_per_s;   // by reads under way; empty if not measured
  std::string disk_way;                     // how those were read: DiskRate::way
  double disk_sequential_bytes_per_s = 0;   // 0 if not measured
};

enum class CacheState { kWarm, kCold };

// One row of the table.
struct TableRun {
  std::string storage;
  CacheState state = CacheState::kWarm;
  std::string ids;  // "random" or "text"
  int threads = 0;
  int batch = 0;
  GatherRunResult result;
  double limit_rows_per_s = 0;  // what it is held against; 0 if there is none
  // From a drive: bare reads, as many threads in as large batches, just before; 0 if not measured.
  double bare_batches_rows_per_s = 0;
};

// A storage that reads the whole table when it is opened.
struct TableLoad {
  std::string storage;
  double seconds = 0;
  double huge_page_share = 0;  // of the table's bytes, 0 … 1, as the storage tells
};

struct TableReport {
  std::string directory;
  int layer_id = 0;
  std::int64_t table_rows = 0;
  std::int64_t row_bytes = 0;
  TableLimits limits;
  std::vector<TableLoad> loads;
  std::vector<TableRun> runs;

  std::int64_t table_bytes() const { return table_rows * row_bytes; }
  std::vector<std::string> notes;  // what was left out, and why
};

std::string MarkdownReport(const TableReport& report);
std::string JsonReport(const TableReport& report);

}  // namespace engram::bench
