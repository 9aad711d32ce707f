// SPDX-License-Identifier: Apache-2.0
// `engram-bench make-checkpoint` and `engram-bench check-tables`: flags, and what is printed.
#pragma once

#include <cstdint>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "tools/bench/checkpoint/checkpoint_maker.h"

namespace engram::bench {

void AddMakeCheckpointFlags(CLI::App& command, MakeCheckpointOptions* options);
absl::Status RunMakeCheckpoint(const MakeCheckpointOptions& options);

struct CheckTablesOptions {
  std::string directory;
  std::int64_t rows = 100'000;
  std::uint64_t pick_seed = 0;
};

void AddCheckTablesFlags(CLI::App& command, CheckTablesOptions* options);
absl::Status RunCheckTables(const CheckTablesOptions& options);

}  // namespace engram::bench
