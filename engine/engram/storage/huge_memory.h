// SPDX-License-Identifier: Apache-2.0
// Memory for something large that is read at random: on the largest pages that can be had, because
// with 4 KiB pages every row costs a walk through page tables that are themselves not in the cache
// (docs/bench/engram_lookup.md). What was had is read back from the kernel, not assumed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "engine/options.h"

namespace engram {

// What the kernel says of a piece of memory.
struct PageCoverage {
  std::int64_t resident_bytes = 0;
  std::int64_t huge_bytes = 0;  // of those, on pages of 2 MiB or more

  // 1 for memory that is not resident at all.
  double huge_fraction() const;
};

// From the text of /proc/self/smaps, of the mappings that lie within [begin, end).
PageCoverage ParseCoverage(std::istream& smaps, std::uintptr_t begin, std::uintptr_t end);
// Of mappings of this process that lie within the pages of `memory`.
PageCoverage CoverageOf(std::span<const std::byte> memory);

// Has the kernel put what lies on small pages on huge ones, where it can. REQUIRES: `memory` begins
// at a page and ends with one.
void CollapsePages(std::span<std::byte> memory);

// One private mapping of zeros, movable. Never in a core dump.
class HugeMemory {
 public:
  // kAuto: pages of 1 GiB, then of 2 MiB, from the pools that the system has reserved
  // (huge_page_pools.h), if `bytes` fill several of them; else transparent huge pages.
  // kRequire the same here: whether it came true is the caller's to look at. kOff: the system's
  // small pages. On a machine with several NUMA nodes the pages come from those this process runs
  // on. ResourceExhausted if there is no memory.
  static absl::StatusOr<HugeMemory> Allocate(std::size_t bytes, HugePages pages);

  HugeMemory(HugeMemory&& other) noexcept;
  HugeMemory& operator=(HugeMemory&& other) noexcept;
  ~HugeMemory();

  // As asked for; begins at a multiple of page_bytes().
  std::span<std::byte> bytes() const { return bytes_; }
  std::size_t page_bytes() const { return page_bytes_; }
  // "1 GiB pages", "2 MiB pages", "transparent huge pages", "small pages"; and the NUMA nodes.
  const std::string& description() const { return description_; }

  // Once it is filled: has the kernel put what lies on small pages on huge ones, where it can.
  void Collapse();
  PageCoverage Coverage() const;

 private:
  HugeMemory() = default;
  bool MapPooled(std::size_t bytes, std::size_t page_bytes);
  bool MapOrdinary(std::size_t bytes, bool transparent);
  void SpreadOverNodes();

  std::span<std::byte> mapping_;  // with what rounding and guards add
  std::span<std::byte> bytes_;
  std::size_t page_bytes_ = 0;
  std::string description_;
};

}  // namespace engram
