// SPDX-License-Identifier: Apache-2.0
// The head of a safetensors file that is written front to back: every tensor's place is known
// before any of its bytes. docs/CHECKPOINT.md describes the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/dtype.h"

namespace engram::bench {

struct ShardTensor {
  std::string name;
  DType dtype = DType::kBF16;
  std::vector<std::int64_t> shape;

  std::int64_t bytes() const;
};

// Length and JSON for these tensors, side by side in this order, with blanks at its end so that the
// first begins at a multiple of `alignment` in the file.
std::string ShardHeader(const std::vector<ShardTensor>& tensors, std::size_t alignment);

}  // namespace engram::bench
