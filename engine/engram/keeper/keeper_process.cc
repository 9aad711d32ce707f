// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/keeper/keeper_process.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <memory>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "engine/engram/keeper/keeper_client.h"
#include "engine/engram/keeper/table_keeper.h"

namespace engram {
namespace {

// Readable once the process is asked to stop.
Descriptor StopDescriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return Descriptor(signalfd(-1, &signals, SFD_CLOEXEC));
}

std::int64_t HalfOfMemory() {
  return std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE) / 2;
}

}  // namespace

absl::Status KeepTables(const std::string& socket_path, std::int64_t memory_bytes) {
  const Descriptor stop = StopDescriptor();
  const std::int64_t bytes_max = memory_bytes > 0 ? memory_bytes : HalfOfMemory();
  ASSIGN_OR_RETURN(const std::unique_ptr<TableKeeper> keeper,
                   TableKeeper::Start({.socket_path = socket_path, .bytes_max = bytes_max}));
  LOG_INFO("table keeper at {}, for at most {} MiB", socket_path, bytes_max >> 20);
  keeper->Run(stop);
  LOG_INFO("stopped: tables that no server has mapped are gone");
  return absl::OkStatus();
}

absl::StatusOr<std::string> AskTableKeeper(const std::string& socket_path,
                                           const std::string& drop) {
  const KeeperClient client(socket_path);
  if (drop.empty()) return client.List();
  ASSIGN_OR_RETURN(const int count, client.Drop(drop));
  return "dropped " + std::to_string(count);
}

}  // namespace engram
