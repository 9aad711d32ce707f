// SPDX-License-Identifier: Apache-2.0
// Writes the files of a run: results and reports.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace engram::bench {

// Makes the folder where needed. UNAVAILABLE names the path.
absl::Status WriteFile(const std::string& path, const std::string& text, bool append);

}  // namespace engram::bench
