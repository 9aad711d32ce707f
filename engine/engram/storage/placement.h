// SPDX-License-Identifier: Apache-2.0
// Where Engram tables go: what was asked for, if it can be had, or what fits. A pure function of
// what is known; looking at the machine is table_storage's.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "engine/options.h"

namespace engram {

struct PlacementFacts {
  std::int64_t tables_bytes = 0;     // all tables together
  std::int64_t scales_bytes = 0;     // of these, scales: in memory with kNvme too
  std::int64_t kept_bytes = 0;       // of tables_bytes, what a keeper has: it takes no memory again
  std::int64_t pooled_bytes = 0;     // … and what will come from reserved huge pages
  std::int64_t available_bytes = 0;  // memory that nothing else needs; 0: the system does not say
  bool in_files = false;             // false: dummy weights, made in memory
  bool direct_io = false;            // their file system has O_DIRECT
  bool files_in_memory = false;      // it is a tmpfs
};

struct PlacementChoice {
  EngramPlacement placement = EngramPlacement::kMapped;  // never kAuto
  std::string reason;                                    // for the log
  std::int64_t tables_bytes = 0;  // of memory to be taken: tables with kRam, scales with kNvme
  std::int64_t cache_bytes = 0;   // of memory for the row cache; 0 unless kNvme

  std::int64_t memory_bytes() const { return tables_bytes + cache_bytes; }
};

// ResourceExhausted if what was asked for is over the RAM budget; FailedPrecondition if the files
// do not allow it. Both say what to do.
absl::StatusOr<PlacementChoice> ChoosePlacement(const EngramStorageOptions& options,
                                                const PlacementFacts& facts);

// "ram", "mmap", "nvme", "auto".
std::string PlacementName(EngramPlacement placement);

}  // namespace engram
