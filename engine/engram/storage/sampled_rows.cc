// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/sampled_rows.h"

#include <algorithm>
#include <vector>

#include "base/prng.h"
#include "base/status_macros.h"
#include "engine/engram/storage/aligned_buffer.h"
#include "engine/engram/storage/file_part.h"

namespace engram {
namespace {

constexpr int kSampledRows = 1024;

// In ascending order; the first and the last row always, the others by `seed`.
std::vector<std::int64_t> SampleRows(std::int64_t rows, std::uint64_t seed) {
  std::vector<std::int64_t> sample = {0, rows - 1};
  for (int i = 0; i < kSampledRows; ++i) {
    sample.push_back(static_cast<std::int64_t>(PhiloxUniform(seed, i) * static_cast<double>(rows)));
  }
  std::ranges::sort(sample);
  sample.erase(std::unique(sample.begin(), sample.end()), sample.end());
  return sample;
}

// One row at a time, as the files have it.
class RowReader {
 public:
  explicit RowReader(const RowFile& file)
      : file_(file),
        buffer_((file.row_bytes / AlignedBuffer::kAlignment + 2) * AlignedBuffer::kAlignment) {}

  // Copies the row to `to`.
  absl::Status Read(std::int64_t row, std::byte* to) const {
    std::span<const std::byte> bytes;
    RETURN_IF_ERROR(ReadRows(file_, row, 1, buffer_.bytes(), &bytes));
    std::ranges::copy(bytes, to);
    return absl::OkStatus();
  }

 private:
  const RowFile& file_;
  const AlignedBuffer buffer_;
};

}  // namespace

absl::Status VisitSampledRows(const TableInFile& table, std::uint64_t seed,
                              const RowVisitor& visit) {
  const RowReader values(table.values);
  const RowReader scales(table.scales);
  std::vector<std::byte> bytes(table.format.row_bytes());
  for (const std::int64_t row : SampleRows(table.rows, seed)) {
    RETURN_IF_ERROR(values.Read(row, bytes.data()));
    if (table.format.scaled()) {
      RETURN_IF_ERROR(scales.Read(row, bytes.data() + table.format.value_bytes()));
    }
    RETURN_IF_ERROR(visit(row, bytes));
  }
  return absl::OkStatus();
}

}  // namespace engram
