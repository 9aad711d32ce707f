// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/table_check.h"

#include <chrono>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/storage/sampled_rows.h"

namespace engram {

absl::Status CheckTable(const EngramTable& table, const TableInFile& in_file) {
  const auto seed =
      static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  std::vector<RowCopy> copies;
  std::vector<std::byte> expected;
  RETURN_IF_ERROR(
      VisitSampledRows(in_file, seed, [&](std::int64_t row, std::span<const std::byte> bytes) {
        copies.push_back({.row = row, .to = static_cast<std::int64_t>(copies.size())});
        expected.insert(expected.end(), bytes.begin(), bytes.end());
        return absl::OkStatus();
      }));
  const std::size_t row_bytes = table.row_bytes();
  std::vector<std::byte> found(expected.size());
  RETURN_IF_ERROR(table.Gather(copies, {.data = found.data(), .stride = row_bytes}));
  for (const RowCopy& copy : copies) {
    const std::size_t at = static_cast<std::size_t>(copy.to) * row_bytes;
    if (std::memcmp(found.data() + at, expected.data() + at, row_bytes) == 0) continue;
    return absl::DataLossError(absl::StrCat("row ", copy.row, " of the Engram table ", in_file.name,
                                            " is another in ", ToAbsl(table.stats().tier),
                                            " than in ", in_file.values.file->path()));
  }
  return absl::OkStatus();
}

}  // namespace engram
