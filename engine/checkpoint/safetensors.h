// SPDX-License-Identifier: Apache-2.0
// The safetensors file format: 8 bytes little-endian header length, a JSON header, the tensors'
// bytes without gaps. Takes bytes and trusts none of them; does not read files and does not know
// what a model wants. docs/CHECKPOINT.md describes the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/dtype.h"

namespace engram {

struct SafetensorsTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;   // empty = a scalar
  std::span<const std::byte> bytes;  // into the parsed file; product(shape) · DTypeBytes(dtype)
};

// The tensors of a whole file, in the order they lie in it. Fails with InvalidArgument (no file
// name in it) unless everything is as the format says: header within limits and without duplicate
// keys, dtypes known, no shape that overflows, tensors within the file, side by side from its first
// data byte to its last, each aligned to its element size. `__metadata__` is checked and dropped.
absl::StatusOr<std::vector<SafetensorsTensor>> ParseSafetensors(std::span<const std::byte> file);

// "[2, 3]"
std::string ShapeToString(std::span<const std::int64_t> shape);

}  // namespace engram
