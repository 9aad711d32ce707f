// SPDX-License-Identifier: Apache-2.0
// The text of a small JSON file of a checkpoint, and its directory put in front of what a parser,
// which knows only the file's name, says about it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "config/limits.h"
#include "engine/checkpoint/mapped_file.h"

namespace engram {

class ConfigText {
 public:
  // Reads `directory`/`name`, at most limits::kConfigFileBytesMax. NotFound if there is none.
  static absl::StatusOr<ConfigText> Read(const std::string& directory, const std::string& name) {
    const std::string path = directory + "/" + name;
    auto file = MappedFile::Open(path);
    if (!file.ok()) return file.status();
    if (file->bytes().size() > limits::kConfigFileBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", file->bytes().size(),
                                                     " bytes; at most ",
                                                     limits::kConfigFileBytesMax, " are allowed"));
    }
    return ConfigText(directory, *std::move(file));
  }

  // Valid as long as this.
  std::string_view view() const {
    return {reinterpret_cast<const char*>(file_.bytes().data()), file_.bytes().size()};
  }

  // `parsed`, an error of it with the directory before the file's name.
  template <typename T>
  absl::StatusOr<T> InDirectory(absl::StatusOr<T> parsed) const {
    if (parsed.ok()) return parsed;
    return absl::Status(parsed.status().code(),
                        absl::StrCat(directory_, "/", parsed.status().message()));
  }

 private:
  ConfigText(std::string directory, MappedFile file)
      : directory_(std::move(directory)), file_(std::move(file)) {}

  std::string directory_;
  MappedFile file_;
};

}  // namespace engram
