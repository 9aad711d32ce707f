// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/row_reads.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace engram {
namespace {

constexpr std::size_t kDrivePageBytes = 4096;
constexpr int kTriesMax = 4;

std::uint64_t RoundDown(std::uint64_t value, std::uint64_t unit) { return value / unit * unit; }
std::uint64_t RoundUp(std::uint64_t value, std::uint64_t unit) {
  return RoundDown(value + unit - 1, unit);
}

}  // namespace

std::size_t ReadBufferBytes(const RowFile& file) {
  const std::size_t alignment = file.file->alignment();
  return RoundUp(std::max(kDrivePageBytes, file.row_bytes + alignment - 1), alignment);
}

absl::Status RowReads::Read(std::span<const RowCopy> copies, RowSink out) {
  kit_.others.clear();
  absl::Status status = ReadAll(copies, out);
  // After an error: the buffers are the kernel's until it has let go of them.
  for (; under_way_ > 0; --under_way_) kit_.idle.push_back(kit_.reader->Wait().slot);
  if (open_ >= 0) kit_.idle.push_back(std::exchange(open_, -1));
  if (claimed_ > 0) claims_.ReleaseAll(this);
  if (status.ok()) status = TakeFromOthers(copies, out);
  return status;
}

absl::Status RowReads::ReadAll(std::span<const RowCopy> copies, RowSink out) {
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const std::int64_t row = copies[i].row;
    if (IsCached(copies[i], out) || JoinsOpen(i, row)) continue;
    if (Claim(row)) {
      RETURN_IF_ERROR(OpenRead(copies, i, out));
    } else if (out.data != nullptr) {
      kit_.others.push_back(i);
    }
  }
  return FinishAll(copies, out);
}

// Begins a read of a row, which may grow by those that follow.
absl::Status RowReads::OpenRead(std::span<const RowCopy> copies, std::size_t index, RowSink out) {
  StartOpen();
  if (kit_.idle.empty()) RETURN_IF_ERROR(FinishOne(copies, out));
  open_ = kit_.idle.back();
  kit_.idle.pop_back();
  const std::uint64_t begin = Begin(copies[index].row);
  ReadSlot& read = kit_.slots[open_];
  read.offset = RoundDown(begin, file_.file->alignment());
  read.needed = begin + file_.row_bytes - read.offset;
  read.first = index;
  read.last = index + 1;
  read.tries = 0;
  return absl::OkStatus();
}

absl::Status RowReads::FinishAll(std::span<const RowCopy> copies, RowSink out) {
  StartOpen();
  while (under_way_ > 0) RETURN_IF_ERROR(FinishOne(copies, out));
  return absl::OkStatus();
}

// Whoever read them has put them into the cache; what failed there, or is no longer in it, is read
// here.
absl::Status RowReads::TakeFromOthers(std::span<const RowCopy> copies, RowSink out) {
  for (const std::size_t i : kit_.others) {
    claims_.Await(copies[i].row);
    const bool cached =
        cache_.Find(copies[i].row, out.data + static_cast<std::size_t>(copies[i].to) * out.stride);
    counts_.cache_hits += cached;
    if (cached) continue;
    RETURN_IF_ERROR(OpenRead(copies, i, out));
    RETURN_IF_ERROR(FinishAll(copies, out));
  }
  return absl::OkStatus();
}

// False: somebody is reading it, and the cache will have it.
bool RowReads::Claim(std::int64_t row) {
  if (cache_.capacity() == 0) return true;
  const bool claimed = claims_.Claim(row, this);
  claimed_ += claimed;
  return claimed;
}

bool RowReads::IsCached(const RowCopy& copy, RowSink out) {
  if (cache_.capacity() == 0) return false;
  if (out.data == nullptr) return cache_.Contains(copy.row);  // a hint: nobody got a row yet
  const bool cached =
      cache_.Find(copy.row, out.data + static_cast<std::size_t>(copy.to) * out.stride);
  ++counts_.cache_lookups;
  counts_.cache_hits += cached;
  return cached;
}

// True if the read that is still open has, or can be made to have, the row too. Ascending rows meet
// here.
bool RowReads::JoinsOpen(std::size_t index, std::int64_t row) {
  if (open_ < 0) return false;
  ReadSlot& read = kit_.slots[open_];
  const std::uint64_t begin = Begin(row);
  const std::uint64_t end = begin + file_.row_bytes;
  if (begin < read.offset || end > read.offset + read.buffer.size()) return false;
  read.needed = std::max<std::size_t>(read.needed, end - read.offset);
  read.last = index + 1;
  return true;
}

void RowReads::StartOpen() {
  if (open_ < 0) return;
  ++under_way_;
  Start(std::exchange(open_, -1));
}

void RowReads::Start(int slot) {
  ReadSlot& read = kit_.slots[slot];
  const std::size_t bytes = RoundUp(read.needed, file_.file->alignment());
  ++read.tries;
  read.started = clock_.Now();
  ++counts_.reads;
  counts_.read_bytes += bytes;
  kit_.reader->Start(slot, read.offset, read.buffer.first(bytes));
}

// Waits until a slot is idle again.
absl::Status RowReads::FinishOne(std::span<const RowCopy> copies, RowSink out) {
  for (;;) {
    const auto [slot, result] = kit_.reader->Wait();
    const ReadSlot& read = kit_.slots[slot];
    counts_.read_ns += static_cast<std::uint64_t>((clock_.Now() - read.started).count());
    if (result < 0 || static_cast<std::size_t>(result) < read.needed) {
      ++counts_.failures;
      const bool may_succeed = result >= 0 || result == -EINTR || result == -EAGAIN;
      if (may_succeed && read.tries < kTriesMax) {
        Start(slot);
        continue;
      }
    }
    --under_way_;
    kit_.idle.push_back(slot);
    RETURN_IF_ERROR(Check(read, result));
    Deliver(read, copies, out);
    return absl::OkStatus();
  }
}

// Of its wishes a read has those that are not another read's, or were in the cache and lie
// elsewhere.
void RowReads::Deliver(const ReadSlot& read, std::span<const RowCopy> copies, RowSink out) {
  std::int64_t last = -1;
  for (const RowCopy& copy : copies.subspan(read.first, read.last - read.first)) {
    const std::uint64_t begin = Begin(copy.row);
    if (begin < read.offset || begin + file_.row_bytes > read.offset + read.needed) continue;
    const std::byte* const row = read.buffer.data() + (begin - read.offset);
    if (out.data != nullptr) {
      std::memcpy(out.data + static_cast<std::size_t>(copy.to) * out.stride, row, file_.row_bytes);
    }
    if (copy.row == std::exchange(last, copy.row)) continue;
    cache_.Insert(copy.row, row);
    if (claimed_ > 0) claimed_ -= claims_.Release(copy.row, this);
  }
}

// Before anybody, the cache included, gets the rows. An fstat a read: what was written to the file
// before the read ended is noticed, and costs a fraction of the read.
absl::Status RowReads::Check(const ReadSlot& read, std::int64_t result) const {
  RETURN_IF_ERROR(file_.file->CheckUnchanged());
  if (result >= static_cast<std::int64_t>(read.needed)) return absl::OkStatus();
  const std::string where = absl::StrCat(file_.file->path(), ": reading ", read.needed,
                                         " bytes of Engram rows at byte ", read.offset);
  if (result < 0) {
    return absl::DataLossError(absl::StrCat(where, ": ", std::strerror(static_cast<int>(-result))));
  }
  return absl::DataLossError(
      absl::StrCat(where, ": only ", result, " came; the drive or its file system is at fault"));
}

}  // namespace engram
