// SPDX-License-Identifier: Apache-2.0
// A table whose values and scales lie apart, each in a storage of its own: a row is gathered from
// both, and comes out as one. For storages that serve rows from where the checkpoint has them; what
// is loaded is packed instead (table_loader.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/engram/engram_table.h"

namespace engram {

class SideBySideTable final : public EngramTable {
 public:
  // REQUIRES: both have the same rows; their formats are format.ValuesAlone() and ScalesAlone().
  SideBySideTable(const EngramRowFormat& format, std::unique_ptr<EngramTable> values,
                  std::unique_ptr<EngramTable> scales);

  std::int64_t rows() const override { return values_->rows(); }
  const EngramRowFormat& format() const override { return format_; }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override;
  void Prefetch(std::span<const std::int64_t> rows) const override;
  bool takes_hints() const override { return values_->takes_hints() || scales_->takes_hints(); }
  // Of both together; the tier is that of the values.
  EngramTableStats stats() const override;

 private:
  // Constant after construction.
  const EngramRowFormat format_;
  const std::unique_ptr<EngramTable> values_;
  const std::unique_ptr<EngramTable> scales_;
};

}  // namespace engram
