// SPDX-License-Identifier: Apache-2.0
// model.safetensors.index.json: which file of a checkpoint holds which tensor. Takes text and opens
// no file; the names it returns are plain file names, which cannot lead out of the directory.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace engram {

// Tensor name -> file name.
using ShardIndex = std::map<std::string, std::string>;

// InvalidArgument (no path in it) if the text is no such index, names a tensor twice or has a file
// name that is not "<name>.safetensors".
absl::StatusOr<ShardIndex> ParseShardIndex(std::string_view json);

}  // namespace engram
