// SPDX-License-Identifier: Apache-2.0
// Reads a small file whole: config files and key files.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace engram {

// The contents of the file at `path`. An error names the file: it cannot be read, or has more than
// `bytes_max` bytes.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path, std::size_t bytes_max);

}  // namespace engram
