// SPDX-License-Identifier: Apache-2.0
// Lookups own disjoint, ascending ranges of the table: sorting the requests of each sorts them all,
// and only requests of one lookup can want the same row.
#include "engine/engram/row_gatherer.h"

#include <cstring>
#include <span>
#include <string>

#include "base/check.h"
#include "base/strings.h"

namespace engram {
namespace {

// A disk that is gone may take seconds to refuse each read: after so many failures in one job the
// rest is not tried.
constexpr int kFailuresTriedMax = 16;

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

RowGatherer::RowGatherer(std::size_t copies_max) : sort_scratch_(copies_max), hashed_(copies_max) {
  requests_.reserve(copies_max);
  copies_.reserve(copies_max);
}

GatherCounts RowGatherer::Gather(const NgramHasher& hasher, const StepWindows& step,
                                 LookupRange range, const EngramTable& table, std::byte* out,
                                 std::vector<StepRowFailure>* failures) {
  CHECK_LE(static_cast<std::size_t>(step.rows()) * range.count, copies_.capacity());
  ZeroDisabled(step, hasher.lookups(), range, table.row_bytes(), out);
  copies_.clear();
  GatherCounts counts;
  for (int lookup = range.first; lookup < range.first + range.count; ++lookup) {
    Request(hasher, step, range.layer_index, lookup);
    for (const RowRequest request : requests_) {
      const std::int64_t row = request.table_row();
      if (copies_.empty() || copies_.back().row != row) ++counts.rows;
      copies_.push_back(
          {.row = row, .to = std::int64_t{request.step_row()} * hasher.lookups() + lookup});
    }
  }
  counts.lookups = copies_.size();
  const RowSink sink{.data = out, .stride = table.row_bytes()};
  if (!table.Gather(copies_, sink).ok()) GatherOneByOne(table, hasher.lookups(), sink, failures);
  return counts;
}

void RowGatherer::GatherOneByOne(const EngramTable& table, int lookups, RowSink out,
                                 std::vector<StepRowFailure>* failures) {
  int failed = 0;
  std::string message;
  for (const RowCopy& copy : copies_) {
    if (failed < kFailuresTriedMax) {
      const absl::Status status = table.Gather({&copy, 1}, out);
      if (status.ok()) continue;
      ++failed;
      message = Message(status);
    }
    std::memset(out.data + static_cast<std::size_t>(copy.to) * out.stride, 0, table.row_bytes());
    failures->push_back({.step_row = static_cast<int>(copy.to / lookups), .message = message});
  }
}

void RowGatherer::Request(const NgramHasher& hasher, const StepWindows& step, int layer_index,
                          int lookup) {
  requests_.clear();
  for (const StepWindows::Slice& slice : step.slices()) {
    if (!slice.engram_enabled()) continue;
    hasher.HashLookup(layer_index, lookup, slice.window, 1, hashed_.data());
    for (int i = 0; i < slice.row_count; ++i) {
      requests_.emplace_back(hashed_[i], slice.first_row + i);
    }
  }
  SortByTableRow(requests_, std::span(sort_scratch_).first(requests_.size()),
                 hasher.table_rows(layer_index));
}

}  // namespace engram
