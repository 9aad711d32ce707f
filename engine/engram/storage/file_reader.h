// SPDX-License-Identifier: Apache-2.0
// Reads at an offset, as pread does: the little that loading a table needs of its file, and the
// place where tests put a disk that fails, stutters or lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace engram {

// Thread-safe.
class FileReader {
 public:
  virtual ~FileReader() = default;
  // How many bytes were read into `to` (fewer than asked for where the file ends, and for any other
  // reason that pread has), or −errno.
  virtual std::int64_t ReadAt(std::uint64_t offset, std::span<std::byte> to) const = 0;
};

}  // namespace engram
