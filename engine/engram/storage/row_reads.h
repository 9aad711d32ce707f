// SPDX-License-Identifier: Apache-2.0
// Reads rows of a table from its file with many reads under way: rows of the same few kilobytes
// share a read, what the cache has or somebody else is reading is not read, short reads are tried
// again, and whatever cannot be read is an error and never a wrong row. One gather of one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "base/clock.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/storage/reader_pool.h"
#include "engine/engram/storage/row_cache.h"
#include "engine/engram/storage/row_claims.h"
#include "engine/engram/storage/table_file.h"

namespace engram {

// How much a slot must hold: a page of a drive, or a row wherever it begins.
std::size_t ReadBufferBytes(const RowFile& file);

struct RowReadCounts {
  std::uint64_t cache_lookups = 0;  // without those of hints; 0 if there is no cache
  std::uint64_t cache_hits = 0;
  std::uint64_t reads = 0;  // tries included
  std::uint64_t read_bytes = 0;
  std::uint64_t read_ns = 0;  // their times, from start to when the end was noticed
  std::uint64_t failures =
      0;  // reads that did not give what they should, and were tried again or not
};

class RowReads {
 public:
  // All must outlive this.
  RowReads(const RowFile* file, RowCache* cache, RowClaims* claims, ReaderKit* kit)
      : file_(*file), cache_(*cache), claims_(*claims), kit_(*kit) {}

  // Puts every row into the cache and, unless out.data is null, where its copy says; without `out`,
  // rows that somebody else is reading are left to them. An error names path and offset; nothing is
  // under way any more when it comes back.
  absl::Status Read(std::span<const RowCopy> copies, RowSink out);

  const RowReadCounts& counts() const { return counts_; }

 private:
  std::uint64_t Begin(std::int64_t row) const {
    return file_.offset + static_cast<std::uint64_t>(row) * file_.row_bytes;
  }
  absl::Status ReadAll(std::span<const RowCopy> copies, RowSink out);
  bool IsCached(const RowCopy& copy, RowSink out);
  bool JoinsOpen(std::size_t index, std::int64_t row);
  bool Claim(std::int64_t row);
  absl::Status OpenRead(std::span<const RowCopy> copies, std::size_t index, RowSink out);
  absl::Status FinishAll(std::span<const RowCopy> copies, RowSink out);
  absl::Status TakeFromOthers(std::span<const RowCopy> copies, RowSink out);
  void StartOpen();
  void Start(int slot);
  absl::Status FinishOne(std::span<const RowCopy> copies, RowSink out);
  void Deliver(const ReadSlot& read, std::span<const RowCopy> copies, RowSink out);
  absl::Status Check(const ReadSlot& read, std::int64_t result) const;

  const RowFile& file_;
  RowCache& cache_;
  RowClaims& claims_;
  ReaderKit& kit_;
  int open_ = -1;      // the slot whose read still grows; −1: none
  int under_way_ = 0;  // reads
  int claimed_ = 0;    // rows
  RowReadCounts counts_;
  const SteadyClock clock_;
};

}  // namespace engram
