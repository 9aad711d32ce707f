// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/nvme_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/storage/row_copies.h"
#include "engine/engram/storage/uring_reader.h"

namespace engram {
namespace {

// Rows that a Prefetch has under way together: some times a queue's depth, and small enough for the
// stack.
constexpr std::size_t kPrefetchRows = 1024;

}  // namespace

void ReadCounters::Add(const RowReadCounts& counts) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  cache_lookups_.fetch_add(counts.cache_lookups, kRelaxed);
  cache_hits_.fetch_add(counts.cache_hits, kRelaxed);
  reads_.fetch_add(counts.reads, kRelaxed);
  read_bytes_.fetch_add(counts.read_bytes, kRelaxed);
  read_ns_.fetch_add(counts.read_ns, kRelaxed);
  failures_.fetch_add(counts.failures, kRelaxed);
}

EngramTableStats ReadCounters::Get() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  EngramTableStats stats;
  stats.row_cache_lookups = cache_lookups_.load(kRelaxed);
  stats.row_cache_hits = cache_hits_.load(kRelaxed);
  stats.disk_reads = reads_.load(kRelaxed);
  stats.disk_read_bytes = read_bytes_.load(kRelaxed);
  stats.disk_read_ns = read_ns_.load(kRelaxed);
  stats.disk_read_failures = failures_.load(kRelaxed);
  return stats;
}

absl::StatusOr<std::unique_ptr<NvmeTable>> NvmeTable::Open(std::unique_ptr<TableFile> file,
                                                           std::uint64_t offset, std::int64_t rows,
                                                           const EngramRowFormat& format,
                                                           const NvmeTableOptions& options) {
  const int fd = file->fd();
  return OpenWith(std::move(file), offset, rows, format, options,
                  [fd](int depth, std::span<std::byte> buffers) {
                    return MakeUringReader(fd, depth, buffers);
                  });
}

absl::StatusOr<std::unique_ptr<NvmeTable>> NvmeTable::OpenWith(
    std::unique_ptr<TableFile> file, std::uint64_t offset, std::int64_t rows,
    const EngramRowFormat& format, const NvmeTableOptions& options,
    const ReaderPool::MakeReader& make_reader) {
  CHECK_GT(rows, 0);
  if (!file->direct()) {
    return absl::FailedPreconditionError(
        absl::StrCat(file->path(),
                     ": its file system has no O_DIRECT, so that tables cannot be read "
                     "past the page cache; use the placement \"mmap\" or \"ram\""));
  }
  ASSIGN_OR_RETURN(RowCache cache, RowCache::Make(options.cache_bytes, format.row_bytes()));
  // A claim for each read that may be under way.
  const std::size_t claims_max = static_cast<std::size_t>(options.readers) * options.queue_depth;
  std::unique_ptr<NvmeTable> table(
      new NvmeTable(std::move(file), offset, rows, format, std::move(cache), claims_max));
  RETURN_IF_ERROR(table->MakePool(options, make_reader));
  LOG_INFO("engram table: {} at byte {}: read with {}, {} readers of depth {}; cache of {} rows",
           table->file_->path(), offset, table->reader_name(), options.readers, options.queue_depth,
           table->cache_.capacity());
  return table;
}

NvmeTable::NvmeTable(std::unique_ptr<TableFile> file, std::uint64_t offset, std::int64_t rows,
                     const EngramRowFormat& format, RowCache cache, std::size_t claims_max)
    : file_(std::move(file)),
      rows_(rows),
      format_(format),
      row_file_({.file = file_.get(), .offset = offset, .row_bytes = format.row_bytes()}),
      cache_(std::move(cache)),
      claims_(claims_max) {}

absl::Status NvmeTable::MakePool(const NvmeTableOptions& options,
                                 const ReaderPool::MakeReader& make_reader) {
  const ReaderPool::Options pool = {.readers = options.readers,
                                    .depth = options.queue_depth,
                                    .buffer_bytes = ReadBufferBytes(row_file_)};
  auto made = ReaderPool::Make(pool, make_reader);
  if (!made.ok()) {
    LOG_WARNING(
        "engram table: {}: {}; reading with {} threads instead, which takes more processor "
        "time",
        file_->path(), Message(made.status()), options.threads);
    threads_ = std::make_unique<ReadThreads>(file_.get(), options.threads);
    made = ReaderPool::Make(
        pool, [this](int depth, std::span<std::byte>) { return threads_->MakeReader(depth); });
  }
  if (!made.ok()) return made.status();
  pool_ = *std::move(made);
  return absl::OkStatus();
}

absl::Status NvmeTable::Gather(std::span<const RowCopy> copies, RowSink out) const {
  CheckRows(copies, rows_);
  return Read(copies, out);
}

void NvmeTable::Prefetch(std::span<const std::int64_t> rows) const {
  CheckRows(rows, rows_);
  if (cache_.capacity() == 0) return;
  std::array<RowCopy, kPrefetchRows> copies;
  while (!rows.empty()) {
    const std::size_t count = std::min(rows.size(), kPrefetchRows);
    for (std::size_t i = 0; i < count; ++i) copies[i].row = rows[i];
    // Its Gather will meet the error again, and says so.
    if (!Read(std::span(copies).first(count), RowSink{}).ok()) return;
    rows = rows.subspan(count);
  }
}

absl::Status NvmeTable::Read(std::span<const RowCopy> copies, RowSink out) const {
  if (copies.empty()) return absl::OkStatus();
  const ReaderPool::Loan loan = pool_->Borrow();
  RowReads reads(&row_file_, &cache_, &claims_, &*loan);
  const absl::Status status = reads.Read(copies, out);
  counts_.Add(reads.counts());
  return status;
}

EngramTableStats NvmeTable::stats() const {
  EngramTableStats stats = counts_.Get();
  stats.tier = "nvme";
  stats.bytes = static_cast<std::uint64_t>(rows_) * format_.row_bytes();
  return stats;
}

}  // namespace engram
