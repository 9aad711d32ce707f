// SPDX-License-Identifier: Apache-2.0
// Makes safetensors files for tests: what a program that reads them should meet on a bad day.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/dtype.h"

namespace engram::testing_support {

struct TensorToWrite {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes{};  // empty: part of the file's 0, 1, 2, …
};

// The bytes of a file with this header and `data_bytes` bytes 0, 1, 2, … of data.
std::string SafetensorsFile(std::string header, std::size_t data_bytes);

// The bytes of a well-formed file of these tensors, one after the other.
// REQUIRES: wider dtypes come first, so that all are aligned; bytes are as many as the shape says.
std::string SafetensorsFile(const std::vector<TensorToWrite>& tensors);

// Writes `contents` to `path`, whose folder must exist.
void WriteFile(const std::string& path, const std::string& contents);

}  // namespace engram::testing_support
