// SPDX-License-Identifier: Apache-2.0
// The table of all settings: name, range, meaning, and where each lies in Config. Flags, the config
// file, --print-config and --help are all made from it, so that none can miss one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "config/config.h"

namespace engram {

enum class OptionKind {
  kBool,    // flags --name and --no-name; true or false in the file
  kNumber,  // a number in the file, or a string with a unit or a word ("512MiB", "auto")
  kText,    // a string
  kObject,  // an object of settings of its own; its JSON as the flag's value
  kList,    // several values; a string or an array of strings in the file
};

struct OptionSpec {
  std::string name;   // "max-num-seqs": the flag without hyphens in front, and the file's key
  std::string alias;  // another name of the flag; may be empty
  std::string group;  // heading in --help
  OptionKind kind = OptionKind::kText;
  std::string value;  // what --help calls the value: "N", "SIZE"
  std::string help;

  // REQUIRES: texts is not empty. All but lists take the last one. The error does not name the
  // option.
  std::function<absl::Status(const std::vector<std::string>& texts, Config* config)> set;
  // As `set` takes it.
  std::function<std::vector<std::string>(const Config& config)> show;
};

std::vector<OptionSpec> AllOptions();

// What no single option can check: how they go together. An error names the flags.
absl::Status CheckConsistent(const Config& config);

}  // namespace engram
