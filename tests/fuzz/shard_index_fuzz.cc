// SPDX-License-Identifier: Apache-2.0
// Any text as model.safetensors.index.json: an error, or names that stay in their directory.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "engine/checkpoint/shard_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto index = engram::ParseShardIndex({reinterpret_cast<const char*>(data), size});
  if (!index.ok()) {
    CHECK(!index.status().message().empty());
    return 0;
  }
  CHECK(!index->empty());
  for (const auto& [tensor, file] : *index) {
    CHECK(file.find('/') == std::string_view::npos);
    CHECK(file.find('\0') == std::string_view::npos);
    CHECK(file.front() != '.');
  }
  return 0;
}
