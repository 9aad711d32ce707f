// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/table_loader.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace engram {
namespace {

// Large enough for a drive's sequential rate with a read per thread under way.
constexpr std::size_t kChunkBytes = 8 << 20;
constexpr int kTriesMax = 4;
constexpr Duration kLogInterval = std::chrono::seconds(5);

class Load {
 public:
  explicit Load(const LoadPart& part) : part_(part) {}

  absl::Status Run(int threads) {
    const TimePoint begin = clock_.Now();
    running_ = threads;
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back([this] { Work(); });
    LogUntilDone(begin);
    for (std::thread& worker : workers) worker.join();
    return status_;
  }

 private:
  void Work() {
    absl::Status status;
    while (status.ok() && !failed_) {
      const std::size_t at = next_.fetch_add(kChunkBytes);
      if (at >= part_.needed) break;
      status = ReadChunk(at, std::min(kChunkBytes, part_.memory.size() - at));
      loaded_ += kChunkBytes;
    }
    std::lock_guard lock(mutex_);
    if (!status.ok() && status_.ok()) status_ = status;
    if (!status.ok()) failed_ = true;
    --running_;
    changed_.notify_all();
  }

  // A short read is asked for again from its last whole page on.
  absl::Status ReadChunk(std::size_t at, std::size_t size) {
    constexpr std::size_t kPage = 4096;
    std::size_t done = 0;
    const std::size_t needed = std::min<std::size_t>(size, part_.needed - at);
    for (int fruitless = 0; done < needed;) {
      const std::uint64_t offset = part_.offset + at + done;
      const std::int64_t got =
          part_.file->ReadAt(offset, part_.memory.subspan(at + done, size - done));
      const bool again = got == -EINTR || got == -EAGAIN;
      if (got < 0 && !again) return Error(offset, std::strerror(static_cast<int>(-got)));
      if (got > 0 && done + static_cast<std::size_t>(got) >= needed) return absl::OkStatus();
      const std::size_t whole = got > 0 ? static_cast<std::size_t>(got) / kPage * kPage : 0;
      done += whole;
      if (whole == 0 && ++fruitless == kTriesMax) {
        return Error(offset, absl::StrCat("only ", std::max<std::int64_t>(got, 0), " of ",
                                          needed - done, " bytes came"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Error(std::uint64_t offset, const std::string& what) const {
    return absl::DataLossError(
        absl::StrCat(part_.path, ": loading an Engram table, at byte ", offset, ": ", what));
  }

  void LogUntilDone(TimePoint begin) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kLogInterval, [this] { return running_ == 0; })) Log(begin);
    if (status_.ok()) Log(begin);
  }

  void Log(TimePoint begin) const {
    constexpr double kGiB = 1 << 30;
    const double seconds = std::chrono::duration<double>(clock_.Now() - begin).count();
    const double loaded =
        static_cast<double>(std::min<std::uint64_t>(loaded_, part_.needed)) / kGiB;
    LOG_INFO("engram table: {:.2f} of {:.2f} GiB loaded from {}, {:.2f} GiB/s", loaded,
             static_cast<double>(part_.needed) / kGiB, part_.path,
             loaded / std::max(seconds, 1e-9));
  }

  const LoadPart part_;
  const SteadyClock clock_;
  std::atomic<std::size_t> next_{0};      // where the next chunk begins
  std::atomic<std::uint64_t> loaded_{0};  // bytes, for the log
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  // State below is protected by mutex_.
  int running_ = 0;  // workers
  absl::Status status_;
};

}  // namespace

absl::Status LoadFromFile(const LoadPart& part, int threads) {
  CHECK_GT(threads, 0);
  CHECK_LE(part.needed, part.memory.size());
  return Load(part).Run(threads);
}

TablePlace PlaceOf(const TableFile& file, std::uint64_t offset, std::size_t table_bytes) {
  const std::size_t alignment = file.alignment();
  TablePlace place;
  place.begin = offset % alignment;
  place.needed = place.begin + table_bytes;
  place.bytes = (place.needed + alignment - 1) / alignment * alignment;
  return place;
}

absl::Status LoadTable(const TableFile& file, std::uint64_t offset, const TablePlace& place,
                       std::span<std::byte> memory, int threads) {
  RETURN_IF_ERROR(LoadFromFile({.file = &file,
                                .path = file.path(),
                                .offset = offset - place.begin,
                                .needed = place.needed,
                                .memory = memory},
                               threads));
  return file.CheckUnchanged();
}

}  // namespace engram
