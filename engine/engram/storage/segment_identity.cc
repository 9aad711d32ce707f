// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/segment_identity.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/prng.h"
#include "base/siphash.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace engram {
namespace {

constexpr int kSampledRows = 1024;
constexpr std::size_t kBlock = 4096;  // of direct reads: what every drive takes
// Nobody is to be kept from colliding on purpose: whoever can write the file can write any table.
constexpr SipHashKey kKey = {0x656e6772616d2d73, 0x65676d656e742d31};

struct FreeAligned {
  void operator()(std::byte* memory) const {
    ::operator delete[](memory, std::align_val_t(kBlock));
  }
};

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

// Calls `visit` with each of the sampled rows as the file has it, until it fails.
absl::Status VisitSample(
    const TableFile& file, const TableInFile& table, std::uint64_t seed,
    const std::function<absl::Status(std::int64_t, std::span<const std::byte>)>& visit) {
  const std::size_t row_bytes = table.format.row_bytes();
  const std::size_t room = (row_bytes / kBlock + 2) * kBlock;
  const std::unique_ptr<std::byte[], FreeAligned> buffer(
      static_cast<std::byte*>(::operator new[](room, std::align_val_t(kBlock))));
  for (const std::int64_t row : SampleRows(table.rows, seed)) {
    const std::uint64_t begin = table.offset + static_cast<std::uint64_t>(row) * row_bytes;
    const std::uint64_t from = begin / kBlock * kBlock;
    const std::size_t needed = begin - from + row_bytes;
    const std::size_t size = (needed + kBlock - 1) / kBlock * kBlock;
    const std::int64_t got = file.ReadAt(from, {buffer.get(), size});
    if (got < static_cast<std::int64_t>(needed)) {
      return absl::DataLossError(absl::StrCat(file.path(), ": row ", row, " of ", table.name,
                                              " at offset ", begin, " cannot be read (", got,
                                              ", expected ", needed, " bytes)"));
    }
    RETURN_IF_ERROR(visit(row, {buffer.get() + (begin - from), row_bytes}));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SegmentIdentity(const TableFile& file, const TableInFile& table) {
  std::uint64_t content = 0;
  RETURN_IF_ERROR(VisitSample(
      file, table, /*seed=*/0, [&content](std::int64_t row, std::span<const std::byte> bytes) {
        const std::uint64_t parts[3] = {content, static_cast<std::uint64_t>(row),
                                        SipHash(kKey, bytes)};
        content = SipHash(kKey, std::as_bytes(std::span(parts)));
        return absl::OkStatus();
      }));
  const EngramRowFormat& format = table.format;
  const auto hex = [](std::uint64_t value) {
    return absl::StrCat(absl::Hex(value, absl::kZeroPad16));
  };
  const auto name = [](DType dtype) { return ToAbsl(DTypeName(dtype)); };
  return absl::StrCat(
      table.name, " ", hex(content), "\nversion 1\nrows ", table.rows, "\nvalues ",
      format.head_dim, " of ", name(format.dtype), ", a scale of ", name(format.scale_dtype),
      " for ", format.scale_block, "\nhash ", hex(table.hash_checksum), "\noffset ", table.offset,
      "\nfile of ", file.identity().bytes, " bytes, modified ", file.identity().modified_ns);
}

absl::Status CompareWithFile(const TableFile& file, const TableInFile& table,
                             std::span<const std::byte> segment, std::uint64_t seed) {
  const std::size_t row_bytes = table.format.row_bytes();
  return VisitSample(file, table, seed, [&](std::int64_t row, std::span<const std::byte> bytes) {
    const std::byte* const kept = segment.data() + static_cast<std::size_t>(row) * row_bytes;
    if (std::memcmp(kept, bytes.data(), row_bytes) == 0) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("the kept table has another row ", row, " than ", file.path()));
  });
}

}  // namespace engram
