// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/shard_header.h"

#include "absl/strings/ascii.h"
#include "base/strings.h"
#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

constexpr std::size_t kLengthBytes = 8;

// As the format spells it.
std::string FormatName(DType dtype) {
  if (dtype == DType::kE8M0) return "F8_E8M0";
  return absl::AsciiStrToUpper(ToAbsl(DTypeName(dtype)));
}

}  // namespace

std::int64_t ShardTensor::bytes() const {
  auto bytes = static_cast<std::int64_t>(DTypeBytes(dtype));
  for (const std::int64_t dimension : shape) bytes *= dimension;
  return bytes;
}

std::string ShardHeader(const std::vector<ShardTensor>& tensors, std::size_t alignment) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  std::int64_t end = 0;
  for (const ShardTensor& tensor : tensors) {
    const std::int64_t begin = end;
    end += tensor.bytes();
    json[tensor.name] = {{"dtype", FormatName(tensor.dtype)},
                         {"shape", tensor.shape},
                         {"data_offsets", {begin, end}}};
  }
  std::string text = json.dump();
  while ((kLengthBytes + text.size()) % alignment != 0) text += ' ';
  std::string header;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    header += static_cast<char>(text.size() >> (8 * i) & 0xff);
  }
  return header + text;
}

}  // namespace engram::bench
