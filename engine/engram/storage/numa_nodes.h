// SPDX-License-Identifier: Apache-2.0
// Which memory a table belongs in on a machine with several NUMA nodes: that of the nodes whose
// processors this process may use.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engram {

// The numbers of a kernel list such as "0-3,8". Stops at what is none.
std::vector<int> ParseKernelList(std::string_view text);

// Of the nodes below `directory` ("/sys/devices/system/node"), those that have memory and one of
// `processors`; all that have memory if none has both. Empty if the system does not say.
std::vector<int> NodesOf(const std::string& directory, std::span<const int> processors);

// The processors that this process may run on.
std::vector<int> AllowedProcessors();

// Has pages of `memory` that are not there yet come from `nodes` in turn (from the one, if it is
// one). False if the kernel refuses. REQUIRES: page-aligned; nodes not empty.
bool SpreadOverNodes(std::span<std::byte> memory, std::span<const int> nodes);

}  // namespace engram
