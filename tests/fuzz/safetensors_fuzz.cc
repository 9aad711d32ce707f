// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors file: an error, or tensors that tile the data exactly.
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "engine/checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto tensors = engram::ParseSafetensors(file);
  if (!tensors.ok()) {
    CHECK(!tensors.status().message().empty());
    return 0;
  }
  std::size_t data_bytes = 0;
  for (const engram::SafetensorsTensor& tensor : *tensors) {
    std::size_t bytes = engram::DTypeBytes(tensor.dtype);
    for (const std::int64_t dimension : tensor.shape) {
      CHECK_GE(dimension, 0);
      bytes *= static_cast<std::size_t>(dimension);
    }
    CHECK_EQ(bytes, tensor.bytes.size());
    if (!tensor.bytes.empty()) {
      CHECK(tensor.bytes.data() >= file.data());
      CHECK(tensor.bytes.data() + tensor.bytes.size() <= file.data() + size);
    }
    data_bytes += bytes;
  }
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, data, sizeof(header_bytes));
  CHECK_EQ(8 + header_bytes + data_bytes, size);
  return 0;
}
