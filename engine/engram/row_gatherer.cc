// SPDX-License-Identifier: Apache-2.0
// Lookups own disjoint, ascending ranges of the table, so sorting each lookup's requests sorts them all,
// and only equal rows of one lookup can be the same row.
#include "engine/engram/row_gatherer.h"

#include <cstring>

#include "base/check.h"

namespace engram {
namespace {

// Rows of slices whose memory is off.
void ZeroDisabled(const StepWindows& step, int lookups, LookupRange range, std::size_t row_bytes,
                  std::byte* out) {
  for (const StepWindows::Slice& slice : step.slices()) {
    if (slice.engram_enabled()) continue;
    for (int row = slice.first_row; row < slice.first_row + slice.row_count; ++row) {
      const std::size_t at = static_cast<std::size_t>(row) * lookups + range.first;
      std::memset(out + at * row_bytes, 0, range.count * row_bytes);
    }
  }
}

}  // namespace

RowGatherer::RowGatherer(std::size_t requests_max, std::size_t row_bytes_max)
    : sort_scratch_(requests_max), hashed_(requests_max), rows_(requests_max * row_bytes_max) {
  requests_.reserve(requests_max);
  ids_.reserve(requests_max);
}

GatherCounts RowGatherer::Gather(const NgramHasher& hasher, const StepWindows& step,
                                 LookupRange range, const EngramTable& table, std::byte* out) {
  const std::size_t row_bytes = table.row_bytes();
  CHECK_LE(static_cast<std::size_t>(step.rows()) * range.count, sort_scratch_.size());
  CHECK_LE(sort_scratch_.size() * row_bytes, rows_.size());
  ZeroDisabled(step, hasher.lookups(), range, row_bytes, out);
  Collect(hasher, step, range);
  table.Gather(ids_, rows_.data());
  Scatter(hasher.lookups(), range, row_bytes, out);
  return {.lookups = requests_.size(), .rows = ids_.size()};
}

void RowGatherer::Collect(const NgramHasher& hasher, const StepWindows& step, LookupRange range) {
  requests_.clear();
  ids_.clear();
  for (int lookup = range.first; lookup < range.first + range.count; ++lookup) {
    const std::size_t begin = requests_.size();
    for (const StepWindows::Slice& slice : step.slices()) {
      if (!slice.engram_enabled()) continue;
      hasher.HashLookup(range.layer_index, lookup, slice.window, 1, hashed_.data());
      for (int i = 0; i < slice.row_count; ++i) {
        requests_.emplace_back(hashed_[i], slice.first_row + i);
      }
    }
    const std::span<RowRequest> added = std::span(requests_).subspan(begin);
    SortByTableRow(added, std::span(sort_scratch_).first(added.size()),
                   hasher.table_rows(range.layer_index));
  }
  for (const RowRequest request : requests_) {
    if (ids_.empty() || ids_.back() != request.table_row()) ids_.push_back(request.table_row());
  }
}

void RowGatherer::Scatter(int lookups, LookupRange range, std::size_t row_bytes,
                          std::byte* out) const {
  const std::size_t per_lookup = requests_.size() / range.count;
  std::size_t found = 0;  // index into ids_ and rows_
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i].table_row() != ids_[found]) ++found;
    const std::size_t lookup = range.first + i / per_lookup;
    const std::size_t at = static_cast<std::size_t>(requests_[i].step_row()) * lookups + lookup;
    std::memcpy(out + at * row_bytes, rows_.data() + found * row_bytes, row_bytes);
  }
}

}  // namespace engram
