// SPDX-License-Identifier: Apache-2.0
// Two result files side by side: `engram-bench compare A.json B.json`. vLLM's result files are read
// as well.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace engram::bench {

struct ComparedNumber {
  std::string key;
  double a = 0;
  double b = 0;
  std::string change;  // "+50.0 %"
};
struct ComparedSetting {
  std::string key;
  std::string a, b;  // as JSON
};

// Every number that both have, in the order of A, and the settings that differ: numbers from
// different loads say little.
struct Comparison {
  std::vector<ComparedNumber> numbers;
  std::vector<ComparedSetting> differences;
};
Comparison CompareResults(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b);

std::string ComparisonText(const Comparison& comparison);

// One HTML file: the tables, and the latency distributions and timelines of both on the same axes.
// The names are how the reader knows the files.
struct NamedResult {
  std::string name;
  nlohmann::ordered_json json;
};
std::string ComparisonHtml(const NamedResult& a, const NamedResult& b);

// Reads a result; of a file with several (--append-result) the last.
absl::StatusOr<nlohmann::ordered_json> ReadResult(const std::string& path);

}  // namespace engram::bench
