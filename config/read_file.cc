// SPDX-License-Identifier: Apache-2.0
#include "config/read_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace engram {

absl::StatusOr<std::string> ReadSmallFile(const std::string& path, std::size_t bytes_max) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string contents(bytes_max + 1, '\0');
  if (file) file.read(contents.data(), static_cast<std::streamsize>(contents.size()));
  // A directory opens but cannot be read; reaching the end is no failure.
  if (!file && !file.eof()) {
    const std::string reason = errno != 0 ? std::strerror(errno) : "not a readable file";
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", reason));
  }
  contents.resize(static_cast<std::size_t>(file.gcount()));
  if (contents.size() > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": larger than the ", bytes_max, " bytes that are allowed"));
  }
  return contents;
}

}  // namespace engram
