// SPDX-License-Identifier: Apache-2.0
// No readahead (a cold row would else read 128 KiB): what makes random rows of a mapped file fast.
#include "engine/engram/storage/mapped_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "engine/engram/storage/row_copies.h"

namespace engram {
namespace {

std::uintptr_t PageBytes() { return static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE)); }

// Pages that other tensors share are left alone.
void AdviseRandom(std::span<const std::byte> bytes) {
  const std::uintptr_t page = PageBytes();
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::uintptr_t first = (begin + page - 1) / page * page;
  const std::uintptr_t last = (begin + bytes.size()) / page * page;
  if (first >= last) return;
  if (madvise(reinterpret_cast<void*>(first), last - first, MADV_RANDOM) != 0) {
    LOG_WARNING("madvise(MADV_RANDOM) on an Engram table: {}; cold rows will be slow to read",
                std::strerror(errno));
  }
}

}  // namespace

MappedTable::MappedTable(std::span<const std::byte> bytes, std::int64_t rows,
                         const EngramRowFormat& format)
    : bytes_(bytes), rows_(rows), format_(format) {
  CHECK_GT(rows, 0);
  CHECK_GT(format.head_dim, 0);
  CHECK_EQ(bytes.size(), static_cast<std::size_t>(rows) * row_bytes());
  AdviseRandom(bytes);
}

absl::Status MappedTable::Gather(std::span<const RowCopy> copies, RowSink out) const {
  CheckRows(copies, rows_);
  CopyRows(bytes_.data(), row_bytes(), copies, out);
  return absl::OkStatus();
}

// MADV_WILLNEED queues the reads of one range and returns. Rows that follow each other in the same
// pages, or in the next one, share a call.
void MappedTable::Prefetch(std::span<const std::int64_t> rows) const {
  CheckRows(rows, rows_);
  const std::uintptr_t page = PageBytes();
  std::uintptr_t first = 0;
  std::uintptr_t last = 0;  // [first, last): pages to ask for
  const auto ask = [&] {
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_WILLNEED);
  };
  for (const std::int64_t row : rows) {
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(bytes_.data()) +
                                 static_cast<std::size_t>(row) * row_bytes();
    const std::uintptr_t row_first = begin / page * page;
    const std::uintptr_t row_last = (begin + row_bytes() + page - 1) / page * page;
    if (row_first < first || row_first > last) {
      ask();
      first = row_first;
      last = row_last;
    } else if (row_last > last) {
      last = row_last;
    }
  }
  ask();
}

}  // namespace engram
