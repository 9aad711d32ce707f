// SPDX-License-Identifier: Apache-2.0
// `engram-server table-keeper`: the process that holds tables while servers come and go, and the
// questions that an operator has for it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace engram {

// Holds tables of `memory_bytes` at most (0: half of the machine's memory) until SIGTERM or SIGINT.
absl::Status KeepTables(const std::string& socket_path, std::int64_t memory_bytes);

// Asks the keeper at the socket to let go of `drop`, or, if that is empty, what it holds. The
// answer is for people.
absl::StatusOr<std::string> AskTableKeeper(const std::string& socket_path,
                                           const std::string& drop);

}  // namespace engram
