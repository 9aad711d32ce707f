// SPDX-License-Identifier: Apache-2.0
// The arrays of a safetensors file as vectors, for tests: reference values and tiny checkpoints. A
// missing file, name or wrong dtype ends the test binary: the data is part of the repository.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/safetensors.h"

namespace engram::testing_support {

class TensorFile {
 public:
  // `path` from the repository's root.
  static TensorFile Load(const std::string& path);

  bool Has(const std::string& name) const { return tensors_.count(name) > 0; }
  std::vector<std::string> Names() const;  // in file order
  std::vector<std::int64_t> Shape(const std::string& name) const;
  // All elements, row-major. F32 also reads bf16 and f16 (exactly), I64 also i32.
  std::vector<float> F32(const std::string& name) const;
  std::vector<std::int32_t> I32(const std::string& name) const;
  std::vector<std::int64_t> I64(const std::string& name) const;
  // The tensor itself, its bytes in the mapped file.
  const SafetensorsTensor& Raw(const std::string& name) const;

 private:
  TensorFile(std::string path, MappedFile file, std::vector<SafetensorsTensor> tensors);

  std::string path_;
  MappedFile file_;
  std::vector<SafetensorsTensor> in_file_order_;
  std::unordered_map<std::string, std::size_t> tensors_;  // name -> index
};

}  // namespace engram::testing_support
