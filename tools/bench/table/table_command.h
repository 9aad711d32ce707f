// SPDX-License-Identifier: Apache-2.0
// `engram-bench table`: every combination of storage, cache state, ids, threads and batch that was
// asked for, beside the limits of the machine at the same time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "tools/bench/table/table_report.h"

namespace engram::bench {

struct TableOptions {
  std::string directory;     // what make-checkpoint made
  std::optional<int> layer;  // a layer id; absent: the first with a table
  std::vector<std::string> storages;
  std::vector<std::string> states = {"warm", "cold"};
  std::vector<int> threads = {1, 2};
  std::vector<int> batches = {8, 64, 1024};
  std::string text_path;  // empty: random ids only
  double seconds = 1;     // of gathering per combination
  std::int64_t check_every = 1;
  std::int64_t rows = 1 << 18;         // different wishes per thread, before they come round again
  std::int64_t cache_mebibytes = 256;  // of a storage's cache of rows; the server's default
  std::optional<double> limit_gigabytes;
  std::string json_path;
};

void AddTableFlags(CLI::App& command, TableOptions* options);

// Says on standard error what it is doing. DataLoss if a row was wrong.
absl::StatusOr<TableReport> RunTable(const TableOptions& options);

}  // namespace engram::bench
