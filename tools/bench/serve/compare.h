// SPDX-License-Identifier: Apache-2.0
// Two result files side by side: `engram-bench compare A.json B.json`. vLLM's result files are read
// as well.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace engram::bench {

// A table of every number that both have, with the change from A to B in per cent, and below it
// the settings that differ: numbers from different loads say little.
std::string CompareResults(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b);

// Reads a result; of a file with several (--append-result) the last.
absl::StatusOr<nlohmann::ordered_json> ReadResult(const std::string& path);

}  // namespace engram::bench
