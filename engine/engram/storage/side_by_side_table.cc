// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/side_by_side_table.h"

#include <utility>

#include "base/check.h"
#include "base/status_macros.h"

namespace engram {

SideBySideTable::SideBySideTable(const EngramRowFormat& format, std::unique_ptr<EngramTable> values,
                                 std::unique_ptr<EngramTable> scales)
    : format_(format), values_(std::move(values)), scales_(std::move(scales)) {
  CHECK(format.scaled());
  CHECK(values_->format() == format.ValuesAlone());
  CHECK(scales_->format() == format.ScalesAlone());
  CHECK_EQ(values_->rows(), scales_->rows());
}

absl::Status SideBySideTable::Gather(std::span<const RowCopy> copies, RowSink out) const {
  RETURN_IF_ERROR(values_->Gather(copies, out));
  return scales_->Gather(copies, {.data = out.data + format_.value_bytes(), .stride = out.stride});
}

void SideBySideTable::Prefetch(std::span<const std::int64_t> rows) const {
  values_->Prefetch(rows);
  scales_->Prefetch(rows);
}

EngramTableStats SideBySideTable::stats() const {
  EngramTableStats stats = values_->stats();
  const EngramTableStats scales = scales_->stats();
  stats.bytes += scales.bytes;
  stats.huge_page_bytes += scales.huge_page_bytes;
  stats.row_cache_lookups += scales.row_cache_lookups;
  stats.row_cache_hits += scales.row_cache_hits;
  stats.disk_reads += scales.disk_reads;
  stats.disk_read_bytes += scales.disk_read_bytes;
  stats.disk_read_ns += scales.disk_read_ns;
  stats.disk_read_failures += scales.disk_read_failures;
  return stats;
}

}  // namespace engram
