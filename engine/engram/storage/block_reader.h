// SPDX-License-Identifier: Apache-2.0
// Many reads of one file under way at once: a drive answers single reads one after the other in
// the time in which it could have answered dozens. One thread's; there is one for each thread that
// gathers (reader_pool.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace engram {

// A read that has come to its end.
struct BlockReadResult {
  int slot = 0;
  std::int64_t result = 0;  // bytes read, as FileReader::ReadAt has it, or −errno
};

class BlockReader {
 public:
  virtual ~BlockReader() = default;
  virtual std::string_view name() const = 0;  // "io_uring", "pread": for the log
  // How many reads may be under way; their slots are [0, depth()).
  virtual int depth() const = 0;
  // Begins a read, perhaps only with the next Wait. REQUIRES: no read of `slot` is under way; `to`
  // is in the memory the reader was made with; both as TableFile::ReadAt demands.
  virtual void Start(int slot, std::uint64_t offset, std::span<std::byte> to) = 0;
  // A read that has ended; waits for one. REQUIRES: one is under way.
  virtual BlockReadResult Wait() = 0;
};

}  // namespace engram
