// SPDX-License-Identifier: Apache-2.0
// Huge pages that the system keeps reserved (vm.nr_hugepages). They are no part of the available
// memory, and a control group may forbid them: a mapping of them succeeds all the same, and the
// first access to it ends the process, or a read into it fails with EFAULT. So one asks first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace engram {

inline constexpr std::size_t kHugePage2M = std::size_t{2} << 20;
inline constexpr std::size_t kHugePage1G = std::size_t{1} << 30;

struct HugePagePool {
  std::size_t page_bytes = 0;
  std::int64_t pages = 0;  // free, promised to nobody, and allowed to this process
};

// Of pages of 1 GiB and 2 MiB, at most `largest`; the largest first. `root`: where /sys and /proc
// are.
std::vector<HugePagePool> FreeHugePages(std::size_t largest = kHugePage1G,
                                        const std::string& root = "");

// The size of the pages that a memory of `bytes` is to be made of, which are taken out of `pools`;
// 0: of ordinary memory. Only whole pages can be had, so a memory that would fill few of them is
// not.
std::size_t TakeHugePages(std::size_t bytes, std::vector<HugePagePool>* pools);

}  // namespace engram
