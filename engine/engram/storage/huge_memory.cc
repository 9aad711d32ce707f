// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/huge_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "engine/engram/storage/huge_page_pools.h"
#include "engine/engram/storage/numa_nodes.h"

namespace engram {
namespace {

constexpr int kCollapseTries = 3;
constexpr int kAdviceCollapse = 25;  // MADV_COLLAPSE: Linux 6.1, newer than the C library's header

std::size_t RoundUp(std::size_t size, std::size_t unit) { return (size + unit - 1) / unit * unit; }

std::byte* AlignUp(std::byte* address, std::size_t unit) {
  return reinterpret_cast<std::byte*>(RoundUp(reinterpret_cast<std::uintptr_t>(address), unit));
}

}  // namespace

double PageCoverage::huge_fraction() const {
  if (resident_bytes == 0) return 1;
  return static_cast<double>(huge_bytes) / static_cast<double>(resident_bytes);
}

PageCoverage ParseCoverage(std::istream& smaps, std::uintptr_t begin, std::uintptr_t end) {
  PageCoverage coverage;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long first = 0;
    unsigned long last = 0;
    long long kibibytes = 0;
    const char* const text = line.c_str();
    if (std::sscanf(text, "%lx-%lx ", &first, &last) == 2) {
      inside = first >= begin && last <= end;
    } else if (!inside) {
      continue;
    } else if (std::sscanf(text, "Rss: %lld kB", &kibibytes) == 1) {
      coverage.resident_bytes += kibibytes << 10;
    } else if (std::sscanf(text, "AnonHugePages: %lld kB", &kibibytes) == 1) {
      coverage.huge_bytes += kibibytes << 10;
    } else if (std::sscanf(text, "ShmemPmdMapped: %lld kB", &kibibytes) == 1) {
      coverage.huge_bytes += kibibytes << 10;
    } else if (std::sscanf(text, "Private_Hugetlb: %lld kB", &kibibytes) == 1 ||
               std::sscanf(text, "Shared_Hugetlb: %lld kB", &kibibytes) == 1) {
      // Pages from a pool are not in Rss.
      coverage.resident_bytes += kibibytes << 10;
      coverage.huge_bytes += kibibytes << 10;
    }
  }
  return coverage;
}

PageCoverage CoverageOf(std::span<const std::byte> memory) {
  std::ifstream smaps("/proc/self/smaps");
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  return ParseCoverage(smaps, begin, RoundUp(begin + memory.size(), sysconf(_SC_PAGESIZE)));
}

void CollapsePages(std::span<std::byte> memory) {
  for (int i = 0; i < kCollapseTries; ++i) {
    if (madvise(memory.data(), memory.size(), kAdviceCollapse) == 0 || errno != EAGAIN) return;
  }
}

absl::StatusOr<HugeMemory> HugeMemory::Allocate(std::size_t bytes, HugePages pages) {
  HugeMemory memory;
  const bool huge = pages != HugePages::kOff;
  std::vector<HugePagePool> pools;
  if (huge) pools = FreeHugePages();
  const std::size_t pooled = TakeHugePages(bytes, &pools);
  const bool mapped = (pooled > 0 && memory.MapPooled(bytes, pooled)) ||
                      memory.MapOrdinary(bytes, huge && bytes >= kHugePage2M);
  if (!mapped) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot map ", bytes, " bytes of memory (errno ", errno, ")"));
  }
  madvise(memory.mapping_.data(), memory.mapping_.size(), MADV_DONTDUMP);
  memory.SpreadOverNodes();
  return memory;
}

bool HugeMemory::MapPooled(std::size_t bytes, std::size_t page_bytes) {
  const std::size_t rounded = RoundUp(bytes, page_bytes);
  const int size_flag = std::countr_zero(page_bytes) << MAP_HUGE_SHIFT;
  void* data = mmap(nullptr, rounded, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size_flag, -1, 0);
  if (data == MAP_FAILED) return false;  // somebody was faster
  mapping_ = {static_cast<std::byte*>(data), rounded};
  bytes_ = mapping_.first(bytes);
  page_bytes_ = page_bytes;
  description_ = page_bytes == kHugePage1G ? "1 GiB pages" : "2 MiB pages";
  return true;
}

// Forbidden pages on both sides keep the kernel from joining it with a neighbour, whose pages would
// be counted as ours.
bool HugeMemory::MapOrdinary(std::size_t bytes, bool transparent) {
  const auto small = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  page_bytes_ = transparent ? kHugePage2M : small;
  const std::size_t usable = RoundUp(bytes, page_bytes_);
  const std::size_t reserved = usable + 2 * page_bytes_;
  void* data = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return false;
  mapping_ = {static_cast<std::byte*>(data), reserved};
  std::byte* const begin = AlignUp(mapping_.data() + small, page_bytes_);
  if (mprotect(begin, usable, PROT_READ | PROT_WRITE) != 0) return false;
  bytes_ = {begin, bytes};
  description_ = "small pages";
  if (transparent) {
    if (madvise(begin, usable, MADV_HUGEPAGE) == 0) description_ = "transparent huge pages";
  } else {
    madvise(begin, usable, MADV_NOHUGEPAGE);
  }
  return true;
}

void HugeMemory::SpreadOverNodes() {
  const std::vector<int> nodes = NodesOf("/sys/devices/system/node", AllowedProcessors());
  if (nodes.size() < 2 && (nodes.empty() || nodes[0] == 0)) return;
  const std::span<std::byte> whole(bytes_.data(), RoundUp(bytes_.size(), page_bytes_));
  const std::string names = absl::StrJoin(nodes, ", ");
  if (engram::SpreadOverNodes(whole, nodes)) {
    absl::StrAppend(&description_, " of NUMA nodes ", names);
  } else {
    LOG_WARNING(
        "engram tables: mbind to NUMA nodes {} failed (errno {}); pages lie where they fall", names,
        errno);
  }
}

void HugeMemory::Collapse() {
  if (page_bytes_ != kHugePage2M) return;
  CollapsePages({bytes_.data(), RoundUp(bytes_.size(), page_bytes_)});
}

PageCoverage HugeMemory::Coverage() const { return CoverageOf(mapping_); }

HugeMemory::HugeMemory(HugeMemory&& other) noexcept
    : mapping_(std::exchange(other.mapping_, {})),
      bytes_(std::exchange(other.bytes_, {})),
      page_bytes_(other.page_bytes_),
      description_(std::move(other.description_)) {}

HugeMemory& HugeMemory::operator=(HugeMemory&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(bytes_, other.bytes_);
  std::swap(page_bytes_, other.page_bytes_);
  std::swap(description_, other.description_);
  return *this;
}

HugeMemory::~HugeMemory() {
  if (!mapping_.empty()) munmap(mapping_.data(), mapping_.size());
}

}  // namespace engram
