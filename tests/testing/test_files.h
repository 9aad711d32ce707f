// SPDX-License-Identifier: Apache-2.0
// Where tests find their data (Bazel runfiles) and how they read it.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace engram::testing_support {

// `path` from the repository's root: "tests/testdata/tiny/engram_paper". Tests run in that root.
inline std::string DataPath(const std::string& path) { return path; }

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(DataPath(path), std::ios::binary);
  EXPECT_TRUE(file.good()) << path << ": missing; is it in the test's data?";
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

}  // namespace engram::testing_support
