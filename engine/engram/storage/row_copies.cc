// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/row_copies.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"

namespace engram {
namespace {

constexpr std::size_t kRowsAhead = 32;  // docs/bench/engram_lookup.md
constexpr std::size_t kCacheLineBytes = 64;
// Of a longer row the hardware's own prefetcher fetches the rest.
constexpr std::size_t kPrefetchBytesMax = 8 * kCacheLineBytes;

void CheckRow(std::int64_t row, std::int64_t rows) {
  CHECK_MSG(static_cast<std::uint64_t>(row) < static_cast<std::uint64_t>(rows),
            "row " + std::to_string(row) + " of a table of " + std::to_string(rows));
}

// Forced inline: gcc takes a function that only prefetches for one without effect, and drops calls
// to it.
[[gnu::always_inline]] inline void PrefetchRow(const std::byte* row, std::size_t row_bytes) {
  const std::size_t end = std::min(row_bytes, kPrefetchBytesMax);
  for (std::size_t at = 0; at < end; at += kCacheLineBytes) __builtin_prefetch(row + at);
  __builtin_prefetch(row + end - 1);  // a row need not begin at a cache line
}

}  // namespace

void CheckRows(std::span<const RowCopy> copies, std::int64_t rows) {
  for (const RowCopy& copy : copies) CheckRow(copy.row, rows);
}

void CheckRows(std::span<const std::int64_t> wanted, std::int64_t rows) {
  for (const std::int64_t row : wanted) CheckRow(row, rows);
}

void CopyRows(const std::byte* table, std::size_t row_bytes, std::span<const RowCopy> copies,
              RowSink out) {
  const auto row = [=](std::size_t i) {
    return table + static_cast<std::size_t>(copies[i].row) * row_bytes;
  };
  const std::size_t ahead = std::min(kRowsAhead, copies.size());
  for (std::size_t i = 0; i < ahead; ++i) PrefetchRow(row(i), row_bytes);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    if (i + ahead < copies.size()) PrefetchRow(row(i + ahead), row_bytes);
    std::memcpy(out.data + static_cast<std::size_t>(copies[i].to) * out.stride, row(i), row_bytes);
  }
}

}  // namespace engram
