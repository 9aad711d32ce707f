// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/huge_page_pools.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"

namespace engram {
namespace {

constexpr std::int64_t kPagesMin = 8;

// Nothing, if there is no such file or it says "max".
std::optional<std::int64_t> ReadNumber(const std::string& path) {
  std::int64_t number = 0;
  if (std::ifstream(path) >> number) return number;
  return std::nullopt;
}

// This process's group in the one hierarchy of version 2: "/", "/a/b", …
std::string ControlGroup(const std::string& root) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return "/";
}

// Of the groups that this process is in, the least that is left; nothing, if there is no limit.
std::optional<std::int64_t> AllowedBytes(const std::string& root, const std::string& page) {
  std::optional<std::int64_t> least;
  const auto consider = [&](const std::string& limit_path, const std::string& usage_path) {
    const auto limit = ReadNumber(limit_path);
    if (!limit.has_value()) return;
    const std::int64_t left =
        std::max<std::int64_t>(0, *limit - ReadNumber(usage_path).value_or(0));
    least = std::min(left, least.value_or(left));
  };
  const std::string tree = root + "/sys/fs/cgroup";
  for (std::string group = ControlGroup(root);; group.resize(group.rfind('/'))) {
    const std::string file = absl::StrCat(tree, group, "/hugetlb.", page);
    consider(file + ".max", file + ".current");
    consider(file + ".rsvd.max", file + ".rsvd.current");
    if (group.find('/') == std::string::npos) break;
  }
  const std::string first_version = absl::StrCat(tree, "/hugetlb/hugetlb.", page);
  consider(first_version + ".limit_in_bytes", first_version + ".usage_in_bytes");
  return least;
}

HugePagePool FreePages(const std::string& root, std::size_t page_bytes) {
  const std::string folder =
      absl::StrCat(root, "/sys/kernel/mm/hugepages/hugepages-", page_bytes >> 10, "kB/");
  const std::int64_t unused = ReadNumber(folder + "free_hugepages").value_or(0) -
                              ReadNumber(folder + "resv_hugepages").value_or(0);
  const auto allowed = AllowedBytes(root, page_bytes == kHugePage1G ? "1GB" : "2MB");
  const auto size = static_cast<std::int64_t>(page_bytes);
  return {.page_bytes = page_bytes,
          .pages = std::max<std::int64_t>(
              0, allowed.has_value() ? std::min(unused, *allowed / size) : unused)};
}

}  // namespace

std::vector<HugePagePool> FreeHugePages(std::size_t largest, const std::string& root) {
  std::vector<HugePagePool> pools;
  for (const std::size_t page_bytes : {kHugePage1G, kHugePage2M}) {
    if (page_bytes <= largest) pools.push_back(FreePages(root, page_bytes));
  }
  return pools;
}

std::size_t TakeHugePages(std::size_t bytes, std::vector<HugePagePool>* pools) {
  for (HugePagePool& pool : *pools) {
    const auto pages = static_cast<std::int64_t>((bytes + pool.page_bytes - 1) / pool.page_bytes);
    if (pages < kPagesMin || pages > pool.pages) continue;
    pool.pages -= pages;
    return pool.page_bytes;
  }
  return 0;
}

}  // namespace engram
