// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/segment_identity.h"

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/siphash.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/engram/storage/sampled_rows.h"

namespace engram {
namespace {

// Nobody is to be kept from colliding on purpose: whoever can write the file can write any table.
constexpr SipHashKey kKey = {0x656e6772616d2d73, 0x65676d656e742d31};

std::string PlaceLine(const RowFile& rows) {
  const FileIdentity& file = rows.file->identity();
  return absl::StrCat("\noffset ", rows.offset, "\nfile of ", file.bytes, " bytes, modified ",
                      file.modified_ns);
}

}  // namespace

absl::StatusOr<std::string> SegmentIdentity(const TableInFile& table) {
  std::uint64_t content = 0;
  RETURN_IF_ERROR(VisitSampledRows(
      table, /*seed=*/0, [&content](std::int64_t row, std::span<const std::byte> bytes) {
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
  return absl::StrCat(table.name, " ", hex(content), "\nversion 1\nrows ", table.rows, "\nvalues ",
                      format.head_dim, " of ", name(format.dtype), ", a scale of ",
                      name(format.scale_dtype), " for ", format.scale_block, "\nhash ",
                      hex(table.hash_checksum), PlaceLine(table.values),
                      format.scaled() ? PlaceLine(table.scales) : "");
}

}  // namespace engram
