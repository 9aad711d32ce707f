// SPDX-License-Identifier: Apache-2.0
// The config file: one JSON object whose keys are the flags' names ("max-num-seqs": 64). Comments
// (// and /* */) are allowed. An unknown or repeated key is an error: a setting that silently does
// nothing is worse than none.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "config/config.h"

namespace engram {

// Sets in `config` what `json` says. An error names the key, what was found and what is allowed.
absl::Status ApplyConfigJson(std::string_view json, Config* config);

// ApplyConfigJson of a file's contents; the error names the file.
absl::Status ApplyConfigFile(const std::string& path, Config* config);

// All settings as a config file that gives the same Config.
std::string ConfigToJson(const Config& config);

}  // namespace engram
