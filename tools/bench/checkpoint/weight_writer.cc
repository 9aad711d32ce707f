// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/weight_writer.h"

#include <cerrno>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "engine/checkpoint/checkpoint.h"
#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

constexpr std::size_t kAlignment = 64;

absl::Status WriteError(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot write"));
}

}  // namespace

absl::Status WriteDummyShard(const std::string& path, const std::vector<ShardTensor>& tensors,
                             std::span<const float> stds, std::uint64_t seed,
                             const std::function<void(std::int64_t bytes)>& progress) {
  CHECK_EQ(tensors.size(), stds.size());
  std::ofstream file(path, std::ios::binary);
  file << ShardHeader(tensors, kAlignment);
  std::int64_t written = 0;
  for (std::size_t i = 0; i < tensors.size() && file.good(); ++i) {
    const ShardTensor& tensor = tensors[i];
    // One for each tensor: it keeps what it has made.
    const std::unique_ptr<Checkpoint> dummy = Checkpoint::Dummy(seed, tensor.dtype);
    ASSIGN_OR_RETURN(const TensorInfo* info, dummy->Get({.name = tensor.name,
                                                         .shape = tensor.shape,
                                                         .dtypes = {tensor.dtype},
                                                         .dummy_std = stds[i]}));
    file.write(reinterpret_cast<const char*>(info->bytes.data()),
               static_cast<std::streamsize>(info->bytes.size()));
    written += tensor.bytes();
    progress(written);
  }
  file.close();
  return file.good() ? absl::OkStatus() : WriteError(path);
}

absl::Status WriteIndex(const std::string& directory, const ShardMap& shards,
                        std::int64_t total_bytes) {
  nlohmann::ordered_json map = nlohmann::ordered_json::object();
  for (const auto& [tensor, file] : shards) map[tensor] = file;
  const nlohmann::ordered_json index = {{"metadata", {{"total_size", total_bytes}}},
                                        {"weight_map", std::move(map)}};
  return WriteTextFile(directory + "/model.safetensors.index.json", index.dump(1) + "\n");
}

absl::Status WriteTextFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file.good() ? absl::OkStatus() : WriteError(path);
}

}  // namespace engram::bench
