// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/disk_limit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "tools/bench/table/read_only_file.h"
#include "tools/bench/table/uring_limit.h"

namespace engram::bench {
namespace {

using SteadyTime = std::chrono::steady_clock;

constexpr std::size_t kRandomBytes = 4096;
constexpr std::size_t kSequentialBytes = 4 << 20;

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

absl::Status SystemError(const std::string& path, const char* what) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": ", what));
}

// Where a thread reads next; negative = nowhere any more.
using NextOffset = std::function<std::int64_t()>;

// Threads that read blocks, each where its own NextOffset says, until `seconds` have passed.
absl::StatusOr<DiskRate> ReadBlocks(const std::string& path, std::size_t block, double seconds,
                                    int threads, const std::function<NextOffset(int)>& offsets) {
  ASSIGN_OR_RETURN(const ReadOnlyFile file, ReadOnlyFile::Open(path, O_DIRECT));
  std::atomic<std::int64_t> reads{0};
  std::atomic<std::int64_t> bytes{0};
  std::atomic<int> error{0};
  const auto begin = SteadyTime::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(SteadyTime::now() - begin).count();
  };
  const auto read = [&](const NextOffset& next) {
    const std::unique_ptr<std::byte[], Free> memory(
        static_cast<std::byte*>(std::aligned_alloc(kRandomBytes, block)));
    CHECK(memory != nullptr);
    while (passed() < seconds && error == 0) {
      const std::int64_t offset = next();
      if (offset < 0) return;
      const ssize_t got = ::pread(file.fd(), memory.get(), block, offset);
      if (got < 0) error = errno;
      if (got <= 0) return;
      ++reads;
      bytes += got;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < threads; ++i) readers.emplace_back(read, offsets(i));
  for (std::thread& reader : readers) reader.join();
  const double taken = passed();
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot read"));
  return DiskRate{.reads_per_s = static_cast<double>(reads) / taken,
                  .bytes_per_s = static_cast<double>(bytes) / taken,
                  .way = "pread"};
}

}  // namespace

absl::StatusOr<DiskRate> MeasureRandomReads(const std::string& path, int depth, double seconds) {
  CHECK_GT(depth, 0);
  const absl::StatusOr<double> uring = MeasureUringReads(path, depth, seconds);
  if (uring.ok()) {
    return DiskRate{.reads_per_s = *uring, .bytes_per_s = *uring * kRandomBytes, .way = "io_uring"};
  }
  if (!absl::IsUnimplemented(uring.status())) return uring.status();
  ASSIGN_OR_RETURN(const ReadOnlyFile file, ReadOnlyFile::Open(path, 0));
  const std::uint64_t blocks =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(file.bytes()) / kRandomBytes);
  return ReadBlocks(path, kRandomBytes, seconds, depth, [blocks](int thread) -> NextOffset {
    return [blocks, random = std::mt19937_64(thread)]() mutable {
      return static_cast<std::int64_t>(random() % blocks * kRandomBytes);
    };
  });
}

absl::StatusOr<DiskRate> MeasureSequentialReads(const std::string& path, int threads,
                                                double seconds) {
  CHECK_GT(threads, 0);
  ASSIGN_OR_RETURN(const ReadOnlyFile file, ReadOnlyFile::Open(path, 0));
  std::atomic<std::int64_t> next{0};
  return ReadBlocks(path, kSequentialBytes, seconds, threads,
                    [&next, end = file.bytes()](int) -> NextOffset {
                      return [&next, end]() -> std::int64_t {
                        const std::int64_t offset = next.fetch_add(kSequentialBytes);
                        return offset < end ? offset : -1;
                      };
                    });
}

absl::Status DropFromCache(const std::string& path) {
  ASSIGN_OR_RETURN(const ReadOnlyFile file, ReadOnlyFile::Open(path, 0));
  const int error = ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  return error == 0 ? absl::OkStatus()
                    : absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot drop from cache"));
}

absl::Status BringIntoCache(const std::string& path) {
  ASSIGN_OR_RETURN(const ReadOnlyFile file, ReadOnlyFile::Open(path, 0));
  ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::vector<std::byte> memory(kSequentialBytes);
  for (std::int64_t offset = 0; offset < file.bytes();) {
    const ssize_t got = ::pread(file.fd(), memory.data(), memory.size(), offset);
    if (got < 0) return SystemError(path, "cannot read");
    if (got == 0) break;
    offset += got;
  }
  return absl::OkStatus();
}

absl::StatusOr<double> CachedShare(const std::string& path) {
  ASSIGN_OR_RETURN(const ReadOnlyFile file, ReadOnlyFile::Open(path, 0));
  const auto bytes = static_cast<std::size_t>(file.bytes());
  if (bytes == 0) return 1.0;
  void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.fd(), 0);
  if (mapped == MAP_FAILED) return SystemError(path, "cannot map");
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((bytes + page - 1) / page);
  const int result = ::mincore(mapped, bytes, pages.data());
  ::munmap(mapped, bytes);
  if (result != 0) return SystemError(path, "cannot ask for its cached pages");
  const auto cached = std::ranges::count_if(pages, [](unsigned char p) { return (p & 1) != 0; });
  return static_cast<double>(cached) / static_cast<double>(pages.size());
}

}  // namespace engram::bench
