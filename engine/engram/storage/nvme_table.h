// SPDX-License-Identifier: Apache-2.0
// An Engram table that stays on its drive: rows are read past the page cache when they are wanted,
// many at once, and a bounded cache keeps those that were wanted lately. For tables that are larger
// than the memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/storage/pread_reader.h"
#include "engine/engram/storage/reader_pool.h"
#include "engine/engram/storage/row_cache.h"
#include "engine/engram/storage/row_claims.h"
#include "engine/engram/storage/row_reads.h"
#include "engine/engram/storage/table_file.h"

namespace engram {

struct NvmeTableOptions {
  int readers = 4;       // threads that may read at the same time; more wait for one another
  int queue_depth = 64;  // reads each of them has under way
  int threads = 32;      // that read where there is no io_uring
  std::size_t cache_bytes = 0;
};

// RowReadCounts of all gathers together. Thread-safe.
class ReadCounters {
 public:
  void Add(const RowReadCounts& counts);
  EngramTableStats Get() const;  // those fields

 private:
  std::atomic<std::uint64_t> cache_lookups_{0};
  std::atomic<std::uint64_t> cache_hits_{0};
  std::atomic<std::uint64_t> reads_{0};
  std::atomic<std::uint64_t> read_bytes_{0};
  std::atomic<std::uint64_t> read_ns_{0};
  std::atomic<std::uint64_t> failures_{0};
};

class NvmeTable final : public EngramTable {
 public:
  // `file` holds [rows, head_dim] of `dtype` from `offset` on. FailedPrecondition if its file
  // system has no O_DIRECT. Says in the log how it reads: with io_uring, or, where the system has
  // none or forbids it, with threads.
  static absl::StatusOr<std::unique_ptr<NvmeTable>> Open(std::unique_ptr<TableFile> file,
                                                         std::uint64_t offset, std::int64_t rows,
                                                         const EngramRowFormat& format,
                                                         const NvmeTableOptions& options);
  // As Open, with readers of the caller's.
  static absl::StatusOr<std::unique_ptr<NvmeTable>> OpenWith(
      std::unique_ptr<TableFile> file, std::uint64_t offset, std::int64_t rows,
      const EngramRowFormat& format, const NvmeTableOptions& options,
      const ReaderPool::MakeReader& make_reader);

  std::int64_t rows() const override { return rows_; }
  const EngramRowFormat& format() const override { return format_; }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override;
  // Reads what the cache does not have into it, and waits for it.
  void Prefetch(std::span<const std::int64_t> rows) const override;
  bool takes_hints() const override { return cache_.capacity() > 0; }
  EngramTableStats stats() const override;

  std::size_t cache_rows() const { return cache_.capacity(); }
  std::string_view reader_name() const { return pool_->reader_name(); }

 private:
  NvmeTable(std::unique_ptr<TableFile> file, std::uint64_t offset, std::int64_t rows,
            const EngramRowFormat& format, RowCache cache, std::size_t claims_max);
  absl::Status MakePool(const NvmeTableOptions& options, const ReaderPool::MakeReader& make_reader);
  absl::Status Read(std::span<const RowCopy> copies, RowSink out) const;

  // Constant after Open. Later ones use earlier ones and go first.
  const std::unique_ptr<TableFile> file_;
  const std::int64_t rows_;
  const EngramRowFormat format_;
  const RowFile row_file_;
  std::unique_ptr<ReadThreads> threads_;  // null with io_uring
  std::unique_ptr<ReaderPool> pool_;

  mutable RowCache cache_;    // thread-safe
  mutable RowClaims claims_;  // thread-safe
  mutable ReadCounters counts_;
};

}  // namespace engram
