// SPDX-License-Identifier: Apache-2.0
// Two things make random rows fast: no readahead (a cold row would else read 128 KiB), and
// cache-line prefetches some rows ahead, so that several misses are under way at once.
#include "engine/engram/mapped_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/log.h"

namespace engram {
namespace {

constexpr std::size_t kRowsAhead = 8;  // docs/bench/engram_lookup.md
constexpr std::size_t kCacheLineBytes = 64;
// Of a longer row the hardware's own prefetcher fetches the rest.
constexpr std::size_t kPrefetchBytesMax = 8 * kCacheLineBytes;

// Pages that other tensors share are left alone.
void AdviseRandom(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::uintptr_t first = (begin + page - 1) / page * page;
  const std::uintptr_t last = (begin + bytes.size()) / page * page;
  if (first >= last) return;
  if (madvise(reinterpret_cast<void*>(first), last - first, MADV_RANDOM) != 0) {
    LOG_WARNING("madvise(MADV_RANDOM) on an Engram table: {}; cold rows will be slow to read",
                std::strerror(errno));
  }
}

void CheckRows(std::span<const RowCopy> copies, std::int64_t rows) {
  for (const RowCopy& copy : copies) {
    CHECK_MSG(static_cast<std::uint64_t>(copy.row) < static_cast<std::uint64_t>(rows),
              "row " + std::to_string(copy.row) + " of a table of " + std::to_string(rows));
  }
}

// Forced inline: gcc takes a function that only prefetches for one without effect, and drops calls
// to it.
[[gnu::always_inline]] inline void PrefetchRow(const std::byte* row, std::size_t row_bytes) {
  const std::size_t end = std::min(row_bytes, kPrefetchBytesMax);
  for (std::size_t at = 0; at < end; at += kCacheLineBytes) __builtin_prefetch(row + at);
  __builtin_prefetch(row + end - 1);  // a row need not begin at a cache line
}

}  // namespace

MappedTable::MappedTable(std::span<const std::byte> bytes, std::int64_t rows, int head_dim,
                         DType dtype)
    : bytes_(bytes), rows_(rows), head_dim_(head_dim), dtype_(dtype) {
  CHECK_GT(rows, 0);
  CHECK_GT(head_dim, 0);
  CHECK_EQ(bytes.size(), static_cast<std::size_t>(rows) * row_bytes());
  AdviseRandom(bytes);
}

void MappedTable::Gather(std::span<const RowCopy> copies, std::byte* out) const {
  CheckRows(copies, rows_);
  const std::size_t bytes_per_row = row_bytes();
  const auto row = [&, table = bytes_.data()](std::size_t i) {
    return table + static_cast<std::size_t>(copies[i].row) * bytes_per_row;
  };
  const std::size_t ahead = std::min(kRowsAhead, copies.size());
  for (std::size_t i = 0; i < ahead; ++i) PrefetchRow(row(i), bytes_per_row);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    if (i + ahead < copies.size()) PrefetchRow(row(i + ahead), bytes_per_row);
    std::memcpy(out + static_cast<std::size_t>(copies[i].to) * bytes_per_row, row(i),
                bytes_per_row);
  }
}

}  // namespace engram
