// SPDX-License-Identifier: Apache-2.0
// Reads the reference data of tests/testdata/text: one JSON object a line.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/test_files.h"

namespace engram::testing_support {

inline std::vector<nlohmann::json> ReadJsonLines(const std::string& path) {
  std::istringstream lines(ReadFile(path));
  std::vector<nlohmann::json> out;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) out.push_back(nlohmann::json::parse(line));
  }
  return out;
}

// A vector file, which must have as many lines as its README says: a test that reads less proves
// less.
inline std::vector<nlohmann::json> TextVectors(const std::string& file, std::size_t count) {
  std::vector<nlohmann::json> vectors = ReadJsonLines("tests/testdata/text/" + file);
  EXPECT_EQ(vectors.size(), count) << file;
  return vectors;
}

using Ids = std::vector<std::int32_t>;

}  // namespace engram::testing_support
