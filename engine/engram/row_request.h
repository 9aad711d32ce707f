// SPDX-License-Identifier: Apache-2.0
// "Row r of the table goes to row t of the step", packed into one word, and the sort that brings
// equal rows together: a row that several tokens want is then read once, and pages are visited in
// order.
#pragma once

#include <cstdint>
#include <span>

#include "config/limits.h"

namespace engram {

class RowRequest {
 public:
  RowRequest() = default;
  RowRequest(std::int64_t table_row, int step_row)
      : packed_(static_cast<std::uint64_t>(table_row) << kStepRowBits |
                static_cast<std::uint64_t>(step_row)) {}

  std::int64_t table_row() const { return static_cast<std::int64_t>(packed_ >> kStepRowBits); }
  int step_row() const { return static_cast<int>(packed_ & ((1u << kStepRowBits) - 1)); }

  friend auto operator<=>(RowRequest, RowRequest) = default;

 private:
  static constexpr int kStepRowBits = 20;
  static_assert(limits::kBatchedTokensMax <= 1 << kStepRowBits);
  static_assert(limits::kEngramRowsMax <= std::int64_t{1} << (64 - kStepRowBits));

  std::uint64_t packed_;
};

// Sorts by table row. `scratch` is as long as `requests`; its contents are lost. REQUIRES: every
// table row < table_rows.
void SortByTableRow(std::span<RowRequest> requests, std::span<RowRequest> scratch,
                    std::int64_t table_rows);

}  // namespace engram
