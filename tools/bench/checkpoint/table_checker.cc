// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/table_checker.h"

#include <algorithm>
#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "engine/engram/storage/table_storage.h"
#include "tools/bench/checkpoint/generated_checkpoint.h"

namespace engram::bench {
namespace {

constexpr std::size_t kRowsAtOnce = 4096;

// The rows to check, ascending.
std::vector<std::int64_t> PickRows(std::int64_t table_rows, std::int64_t count,
                                   std::uint64_t seed) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(count, table_rows)));
  if (count >= table_rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
    return rows;
  }
  std::mt19937_64 random(seed);
  for (std::int64_t& row : rows) {
    row = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(table_rows));
  }
  std::ranges::sort(rows);
  return rows;
}

absl::Status WrongRow(const GeneratedTable& table, std::int64_t row) {
  const std::size_t offset = static_cast<std::size_t>(row) * table.content.format().value_bytes();
  const std::string scale = table.content.format().scaled() ? " or its scales" : "";
  return absl::DataLossError(
      absl::StrCat(absl::StrJoin(table.paths, ", "), ": layer ", table.layer_id, ", row ", row,
                   " of ", table.source.rows, " (byte ", offset, " of tensor '", table.source.name,
                   "'", scale, ") is not what the formula gives; make the checkpoint again"));
}

absl::Status CheckRows(const GeneratedTable& table, const std::vector<std::int64_t>& rows) {
  const std::size_t row_bytes = table.content.row_bytes();
  const std::unique_ptr<EngramTable> mapped = MapTable(table.source);
  std::vector<std::byte> out(kRowsAtOnce * row_bytes);
  std::vector<RowCopy> copies;
  for (std::size_t first = 0; first < rows.size(); first += kRowsAtOnce) {
    const std::size_t count = std::min(kRowsAtOnce, rows.size() - first);
    copies.clear();
    for (std::size_t i = 0; i < count; ++i) {
      copies.push_back({.row = rows[first + i], .to = static_cast<std::int64_t>(i)});
    }
    RETURN_IF_ERROR(mapped->Gather(copies, {.data = out.data(), .stride = row_bytes}));
    for (const RowCopy& copy : copies) {
      if (!table.content.IsRow(copy.row, out.data() + copy.to * row_bytes)) {
        return WrongRow(table, copy.row);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<CheckedTable>> CheckTables(const std::string& directory,
                                                      std::int64_t rows, std::uint64_t pick_seed) {
  ASSIGN_OR_RETURN(const GeneratedCheckpoint opened, OpenGenerated(directory));
  std::vector<CheckedTable> checked;
  for (const GeneratedTable& table : opened.tables) {
    const std::int64_t table_rows = table.source.rows;
    const std::vector<std::int64_t> picked = PickRows(table_rows, rows, pick_seed);
    RETURN_IF_ERROR(CheckRows(table, picked));
    checked.push_back({.layer_id = table.layer_id,
                       .rows = table_rows,
                       .checked = static_cast<std::int64_t>(picked.size())});
  }
  return checked;
}

}  // namespace engram::bench
