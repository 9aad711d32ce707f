// SPDX-License-Identifier: Apache-2.0
// A long load, cut into pieces that several threads take one after the other; and what the log says
// meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace engram {

struct LoadRun {
  std::string path;         // for the log
  std::uint64_t bytes = 0;  // in all, for the log
  std::size_t pieces = 0;   // each the same part of them
  int threads = 0;          // > 0
  // Loads piece `piece`; `thread`, below `threads`, is the caller's own.
  std::function<absl::Status(int thread, std::size_t piece)> load;
};

// Waits for all pieces. The first error ends the load. Logs how far it is, every few seconds, and
// at the end how fast it was.
absl::Status RunLoad(const LoadRun& run);

}  // namespace engram
