// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/table_mark.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

// Goes up with every change of RowContent's formula.
constexpr int kFormula = 1;

std::string PathIn(const std::string& directory) { return directory + "/" + kTableMarkFile; }

}  // namespace

absl::Status WriteTableMark(const std::string& directory, const TableMark& mark) {
  std::ofstream file(PathIn(directory));
  file << nlohmann::ordered_json{{"row_formula", kFormula}, {"seed", mark.seed}}.dump(1) << "\n";
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(PathIn(directory), ": cannot write"));
}

absl::StatusOr<TableMark> ReadTableMark(const std::string& directory) {
  const std::string path = PathIn(directory);
  std::ifstream file(path);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(
        path, ": cannot read; rows can only be checked in a directory of make-checkpoint"));
  }
  const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("row_formula") || !json.contains("seed") ||
      !json["row_formula"].is_number_integer() || !json["seed"].is_number_unsigned()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected {\"row_formula\": N, \"seed\": N}"));
  }
  if (json["row_formula"] != kFormula) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": row_formula is ", json["row_formula"].dump(), ", expected ", kFormula,
                     ": make the checkpoint again with this build"));
  }
  return TableMark{.seed = json["seed"].get<std::uint64_t>()};
}

}  // namespace engram::bench
