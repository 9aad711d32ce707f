// SPDX-License-Identifier: Apache-2.0
// Rows by id: the seam behind which an Engram table may lie in RAM, in a mapped file, on NVMe.
// Every storage gives the same bytes; only when they arrive differs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "kernels/row_format.h"

namespace engram {

// Table row `row` becomes row `to` of the output.
struct RowCopy {
  std::int64_t row = 0;
  std::int64_t to = 0;
};

// How a table is stored and what has been read for it, for the metrics. What a storage does not
// have stays zero; what it counts only goes up.
struct EngramTableStats {
  std::string_view tier = "other";      // where rows come from: "mmap", "ram", "nvme"
  std::uint64_t bytes = 0;              // of the whole table, wherever it lies
  std::uint64_t huge_page_bytes = 0;    // of those, in memory on huge pages
  std::uint64_t row_cache_lookups = 0;  // rows sought in the storage's own cache of rows
  std::uint64_t row_cache_hits = 0;     // rows found there
  std::uint64_t disk_reads = 0;         // reads that the storage issued itself (no page faults)
  std::uint64_t disk_read_bytes = 0;
  std::uint64_t disk_read_ns = 0;        // sum over reads: its rate is the average queue depth
  std::uint64_t disk_read_failures = 0;  // errors and short reads, tried again or not
};

// Where rows go: row `to` begins at data + to · stride.
struct RowSink {
  std::byte* data = nullptr;
  std::size_t stride = 0;  // ≥ row_bytes()
};

// Thread-safe: several threads may gather at once.
class EngramTable {
 public:
  virtual ~EngramTable() = default;
  virtual std::int64_t rows() const = 0;
  virtual const EngramRowFormat& format() const = 0;
  std::size_t row_bytes() const { return format().row_bytes(); }

  // Copies each row to its place in `out` and blocks until the bytes are there. The prefetcher asks
  // for many at once, in ascending order of `row`, so that a storage may read a repeated row once,
  // merge neighbours and overlap its reads; any order must give the right bytes. An error (a disk
  // that does not read, a file that is no longer the one that was opened) names file and offset;
  // the rows in `out` are then undefined, those of this call and no others. REQUIRES: every `row`
  // in [0, rows()); checked, because a wrong row is worse than a stop.
  virtual absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const = 0;

  // A hint: these rows, in any order, will be gathered soon. A storage may begin to bring them
  // nearer, and may wait for that; it never changes what Gather gives, and it cannot fail: a row
  // that cannot be read is the error of the Gather that needs it. REQUIRES: as Gather.
  virtual void Prefetch(std::span<const std::int64_t> rows) const { (void)rows; }
  // Whether Prefetch does anything. For a table in memory, hashing early would be for nothing.
  virtual bool takes_hints() const { return false; }

  // A storage that counts nothing says so by zeros.
  virtual EngramTableStats stats() const { return {}; }
};

}  // namespace engram
