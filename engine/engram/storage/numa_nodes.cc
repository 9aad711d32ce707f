// SPDX-License-Identifier: Apache-2.0
// mbind by system call: libnuma would be a dependency for one function.
#include "engine/engram/storage/numa_nodes.h"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <optional>

#include "base/check.h"

namespace engram {
namespace {

constexpr int kNodesMax = 1024;  // the kernel's own limit

std::optional<int> ParseNumber(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

std::vector<int> ReadKernelList(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return ParseKernelList(line);
}

}  // namespace

std::vector<int> ParseKernelList(std::string_view text) {
  std::vector<int> numbers;
  while (!text.empty()) {
    const std::string_view range = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), range.size() + 1));
    const std::size_t dash = range.find('-');
    const std::optional<int> first = ParseNumber(range.substr(0, dash));
    const std::optional<int> last =
        dash == std::string_view::npos ? first : ParseNumber(range.substr(dash + 1));
    if (!first.has_value() || !last.has_value()) break;
    for (int number = *first; number <= *last; ++number) numbers.push_back(number);
  }
  return numbers;
}

std::vector<int> NodesOf(const std::string& directory, std::span<const int> processors) {
  const std::vector<int> with_memory = ReadKernelList(directory + "/has_memory");
  std::vector<int> nodes;
  for (const int node : with_memory) {
    const std::vector<int> own =
        ReadKernelList(directory + "/node" + std::to_string(node) + "/cpulist");
    if (std::ranges::find_first_of(own, processors) != own.end()) nodes.push_back(node);
  }
  return nodes.empty() ? with_memory : nodes;
}

std::vector<int> AllowedProcessors() {
  std::vector<int> processors;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) processors.push_back(i);
  }
  return processors;
}

bool SpreadOverNodes(std::span<std::byte> memory, std::span<const int> nodes) {
  CHECK(!nodes.empty());
  constexpr int kBits = 8 * sizeof(unsigned long);
  std::array<unsigned long, kNodesMax / kBits> mask{};
  for (const int node : nodes) {
    CHECK_LT(node, kNodesMax);
    mask[node / kBits] |= 1ul << (node % kBits);
  }
  const int policy = nodes.size() == 1 ? MPOL_PREFERRED : MPOL_INTERLEAVE;
  return ::syscall(SYS_mbind, memory.data(), memory.size(), policy, mask.data(), kNodesMax, 0) == 0;
}

}  // namespace engram
