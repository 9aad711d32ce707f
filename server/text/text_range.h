// SPDX-License-Identifier: Apache-2.0
// A stretch of a text, in bytes.
#pragma once

#include <cstddef>

namespace engram {

// [begin, end).
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
  friend bool operator==(const TextRange&, const TextRange&) = default;
};

}  // namespace engram
