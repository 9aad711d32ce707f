// SPDX-License-Identifier: Apache-2.0
// argv to a Config and what to do with it. Defaults < --config file < flags. The only file pair
// that sees the command line library.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/config.h"

namespace engram {

enum class Command {
  kServe,
  kCheckConfig,  // load and check everything, serve nothing
  kHealthcheck,  // ask a running server
  kTableKeeper,  // hold Engram tables for servers, or ask who does
  kPrint,        // print `text`: --help, --version, --print-config
};

// `engram-server healthcheck`: for a container's HEALTHCHECK and exec probes.
struct HealthcheckOptions {
  std::string host = "127.0.0.1";
  int port = 8000;
  std::string path = "/ready";
  Duration timeout = std::chrono::seconds(5);
};

// `engram-server table-keeper`: holds Engram tables in memory while servers come and go.
struct TableKeeperCommand {
  std::string socket_path;
  std::int64_t memory_bytes = 0;  // of all tables together; 0 = half of the machine's memory
  bool list = false;              // ask the keeper that runs what it holds
  std::string drop;               // tell it to let go of this one, or of "all"
};

struct CommandLine {
  Command command = Command::kServe;
  Config config;
  HealthcheckOptions healthcheck;
  TableKeeperCommand table_keeper;
  std::string text;
};

// `version` is what --version prints. An error names the flag, or the file and key.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                             const std::string& version);

}  // namespace engram
