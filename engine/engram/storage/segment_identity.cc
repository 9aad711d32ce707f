// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/segment_identity.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/prng.h"
#include "base/siphash.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/storage/aligned_buffer.h"
#include "engine/engram/storage/file_part.h"

namespace engram {
namespace {

constexpr int kSampledRows = 1024;
// Nobody is to be kept from colliding on purpose: whoever can write the file can write any table.
constexpr SipHashKey kKey = {0x656e6772616d2d73, 0x65676d656e742d31};

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

// Calls `visit` with each of the sampled rows, values and scales side by side, until it fails.
absl::Status VisitSample(
    const TableInFile& table, std::uint64_t seed,
    const std::function<absl::Status(std::int64_t, std::span<const std::byte>)>& visit) {
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

std::string PlaceLine(const RowFile& rows) {
  const FileIdentity& file = rows.file->identity();
  return absl::StrCat("\noffset ", rows.offset, "\nfile of ", file.bytes, " bytes, modified ",
                      file.modified_ns);
}

}  // namespace

absl::StatusOr<std::string> SegmentIdentity(const TableInFile& table) {
  std::uint64_t content = 0;
  RETURN_IF_ERROR(VisitSample(table, /*seed=*/0,
                              [&content](std::int64_t row, std::span<const std::byte> bytes) {
                                const std::uint64_t parts[3] = {
                                    content, static_cast<std::uint64_t>(row), SipHash(kKey, bytes)};
                                content = SipHash(kKey, std::as_bytes(std::span(parts)));
                                return absl::OkStatus();
                              }));
  const EngramRowFormat& format = table.format;
  const auto hex = [](std::uint64_t value) {
    return absl::StrCat(absl::Hex(value, absl::kZeroPad16));
  };
  const auto name = [](DType dtype) { return ToAbsl(DTypeName(dtype)); };
  return absl::StrCat(table.name, " ", hex(content), "\nversion 1\nrows ", table.rows, "\nvalues ",
                      format.head_dim, " of ", name(format.dtype), ", a scale of ",
                      name(format.scale_dtype), " for ", format.scale_block, "\nhash ",
                      hex(table.hash_checksum), PlaceLine(table.values),
                      format.scaled() ? PlaceLine(table.scales) : "");
}

absl::Status CompareWithFile(const TableInFile& table, std::span<const std::byte> segment,
                             std::uint64_t seed) {
  const std::size_t row_bytes = table.format.row_bytes();
  return VisitSample(table, seed, [&](std::int64_t row, std::span<const std::byte> bytes) {
    const std::byte* const kept = segment.data() + static_cast<std::size_t>(row) * row_bytes;
    if (std::memcmp(kept, bytes.data(), row_bytes) == 0) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("the kept table has another row ", row, " than ", table.values.file->path()));
  });
}

}  // namespace engram
