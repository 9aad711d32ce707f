// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/memory_limit.h"

#include <sys/mman.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tools/bench/table/gather_run.h"

namespace engram::bench {
namespace {

using SteadyTime = std::chrono::steady_clock;

constexpr std::size_t kHugePage = 2 << 20;
constexpr std::size_t kLine = 64;
constexpr std::size_t kRowsAhead = 32;
constexpr std::size_t kRowsPerSlice = 100'000;
constexpr int kSlices = 40;
constexpr std::size_t kRowsOut = kSliceRows;  // the copies fill as much memory as a Gather's do

// Anonymous memory that begins at a huge page, touched by several threads.
class HugeMemory {
 public:
  HugeMemory(std::size_t bytes, int threads) : bytes_(bytes), mapped_bytes_(bytes + kHugePage) {
    void* mapped = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return;
    mapped_ = static_cast<std::byte*>(mapped);
    const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
    data_ = mapped_ + (kHugePage - address % kHugePage) % kHugePage;
    madvise(data_, bytes_, MADV_HUGEPAGE);
    std::vector<std::thread> fillers;
    for (int i = 0; i < threads; ++i) {
      fillers.emplace_back([this, i, threads] {
        const std::size_t begin = bytes_ / threads * i;
        const std::size_t end = i + 1 == threads ? bytes_ : bytes_ / threads * (i + 1);
        std::memset(data_ + begin, i + 1, end - begin);
      });
    }
    for (std::thread& filler : fillers) filler.join();
  }
  HugeMemory(const HugeMemory&) = delete;
  ~HugeMemory() {
    if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
  }

  const std::byte* data() const { return data_; }

  // From the entries of /proc/self/smaps that lie in it.
  double HugeShare() const {
    const auto begin = reinterpret_cast<std::uintptr_t>(data_);
    std::ifstream smaps("/proc/self/smaps");
    bool inside = false;
    double huge = 0;
    for (std::string line; std::getline(smaps, line);) {
      std::size_t dash = 0;
      if (const std::size_t at = line.find('-'); at != std::string::npos && line.find(':') > at) {
        const std::uintptr_t from = std::stoull(line, &dash, 16);
        inside = from < begin + bytes_ && std::stoull(line.substr(at + 1), nullptr, 16) > begin;
      } else if (inside && line.starts_with("AnonHugePages:")) {
        huge += 1024.0 * std::stod(line.substr(14));
      }
    }
    return std::min(1.0, huge / static_cast<double>(bytes_));
  }

 private:
  const std::size_t bytes_;
  const std::size_t mapped_bytes_;
  std::byte* mapped_ = nullptr;
  std::byte* data_ = nullptr;
};

[[gnu::always_inline]] inline void PrefetchRow(const std::byte* row, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(row + at);
  __builtin_prefetch(row + bytes - 1);
}

void ReadRows(const std::byte* data, std::size_t row_bytes, const std::vector<std::uint64_t>& rows,
              std::size_t first, std::byte* out) {
  const auto row = [&](std::size_t i) { return data + rows[i % rows.size()] * row_bytes; };
  for (std::size_t i = first; i < first + kRowsPerSlice; ++i) {
    PrefetchRow(row(i + kRowsAhead), row_bytes);
    std::memcpy(out + i % kRowsOut * row_bytes, row(i), row_bytes);
    asm volatile("" : : "r"(out) : "memory");  // the copy counts, whoever reads it
  }
}

// The median over slices of all threads' rates together.
double RowsPerSecond(const HugeMemory& memory, std::int64_t bytes, std::size_t row_bytes,
                     int threads) {
  const std::uint64_t table_rows = static_cast<std::uint64_t>(bytes) / row_bytes;
  std::vector<std::vector<double>> rates(threads);
  std::barrier together(threads);
  std::vector<std::thread> readers;
  for (int t = 0; t < threads; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937_64 random(t);
      std::vector<std::uint64_t> rows(kRowsPerSlice * 8);
      for (std::uint64_t& row : rows) row = random() % table_rows;
      std::vector<std::byte> out(kRowsOut * row_bytes);
      for (int slice = 0; slice < kSlices; ++slice) {
        together.arrive_and_wait();
        const auto begin = SteadyTime::now();
        ReadRows(memory.data(), row_bytes, rows, slice * kRowsPerSlice, out.data());
        const std::chrono::duration<double> taken = SteadyTime::now() - begin;
        rates[t].push_back(kRowsPerSlice / taken.count());
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  std::vector<double> sums(kSlices);
  for (const std::vector<double>& own : rates) {
    for (int slice = 0; slice < kSlices; ++slice) sums[slice] += own[slice];
  }
  std::ranges::sort(sums);
  return sums[kSlices / 2];
}

}  // namespace

absl::StatusOr<MemoryLimit> MeasureMemoryLimit(std::int64_t bytes, std::size_t row_bytes,
                                               const std::vector<int>& threads) {
  const HugeMemory memory(static_cast<std::size_t>(bytes), *std::ranges::max_element(threads));
  if (memory.data() == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory of ", bytes, " bytes"));
  }
  MemoryLimit limit{.bytes = bytes, .huge_page_share = memory.HugeShare(), .rows_per_s = {}};
  for (const int count : threads) {
    limit.rows_per_s.push_back(RowsPerSecond(memory, bytes, row_bytes, count));
  }
  return limit;
}

std::int64_t FreeMemoryBytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("MemAvailable:")) return 1024 * std::stoll(line.substr(13));
  }
  return 0;
}

}  // namespace engram::bench
