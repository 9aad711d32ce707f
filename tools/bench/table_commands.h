// SPDX-License-Identifier: Apache-2.0
// The subcommands of engram-bench that need the engine: make-checkpoint, check-tables and table.
// Beside them, not among them, is the load client, which shares no code with the server.
#pragma once

#include <memory>
#include <optional>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

namespace engram::bench {

class TableCommands {
 public:
  // Adds the subcommands to `app`, which must outlive this.
  explicit TableCommands(CLI::App* app);
  ~TableCommands();

  // Runs the one that the command line named; nullopt if it named none of these.
  std::optional<absl::Status> RunIfNamed() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engram::bench
