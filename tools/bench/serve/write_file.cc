// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/write_file.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace engram::bench {

absl::Status WriteFile(const std::string& path, const std::string& text, bool append) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  std::ofstream file(path, append ? std::ios::app : std::ios::trunc);
  file << text;
  file.close();
  if (!file) return absl::UnavailableError(absl::StrCat(path, ": cannot write"));
  return absl::OkStatus();
}

}  // namespace engram::bench
