// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/table_loader.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>

#include "base/check.h"
#include "base/status_macros.h"
#include "engine/engram/storage/aligned_buffer.h"
#include "engine/engram/storage/load_run.h"

namespace engram {
namespace {

// Large enough for a drive's sequential rate with a read per thread under way.
constexpr std::size_t kPieceBytes = 8 << 20;

// Where a thread reads values and scales to, before they are put side by side.
struct Bounce {
  Bounce(const EngramRowFormat& format, std::int64_t rows)
      : values(RoomFor(format.value_bytes(), rows)), scales(RoomFor(format.scale_bytes(), rows)) {}

  static std::size_t RoomFor(std::size_t row_bytes, std::int64_t rows) {
    const std::size_t blocks =
        static_cast<std::size_t>(rows) * row_bytes / AlignedBuffer::kAlignment;
    return (blocks + 2) * AlignedBuffer::kAlignment;
  }

  AlignedBuffer values;
  AlignedBuffer scales;
};

absl::Status LoadPackedRows(const TableInFile& table, std::int64_t first, std::int64_t count,
                            const Bounce& bounce, std::byte* to) {
  std::span<const std::byte> values;
  std::span<const std::byte> scales;
  RETURN_IF_ERROR(ReadRows(table.values, first, count, bounce.values.bytes(), &values));
  RETURN_IF_ERROR(ReadRows(table.scales, first, count, bounce.scales.bytes(), &scales));
  const std::size_t value_bytes = table.format.value_bytes();
  const std::size_t scale_bytes = table.format.scale_bytes();
  const std::byte* value = values.data();
  const std::byte* scale = scales.data();
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(to, value, value_bytes);
    std::memcpy(to + value_bytes, scale, scale_bytes);
    to += value_bytes + scale_bytes;
    value += value_bytes;
    scale += scale_bytes;
  }
  return absl::OkStatus();
}

absl::Status LoadPacked(const TableInFile& table, std::span<std::byte> memory, int threads) {
  const auto rows_a_piece =
      std::max<std::int64_t>(1, kPieceBytes / std::max<std::size_t>(1, table.format.value_bytes()));
  std::deque<Bounce> bounces;  // [threads]
  for (int i = 0; i < threads; ++i) {
    bounces.emplace_back(table.format, std::min(rows_a_piece, table.rows));
  }
  return RunLoad(
      {.path = table.values.file->path(),
       .bytes = table.bytes(),
       .pieces = static_cast<std::size_t>((table.rows + rows_a_piece - 1) / rows_a_piece),
       .threads = threads,
       .load = [&](int thread, std::size_t piece) {
         const std::int64_t first = static_cast<std::int64_t>(piece) * rows_a_piece;
         std::byte* const to =
             memory.data() + static_cast<std::size_t>(first) * table.format.row_bytes();
         return LoadPackedRows(table, first, std::min(rows_a_piece, table.rows - first),
                               bounces[static_cast<std::size_t>(thread)], to);
       }});
}

}  // namespace

absl::Status LoadFromFile(const FilePart& part, int threads) {
  CHECK_LE(part.needed, part.memory.size());
  return RunLoad({.path = part.path,
                  .bytes = part.needed,
                  .pieces = (part.needed + kPieceBytes - 1) / kPieceBytes,
                  .threads = threads,
                  .load = [&](int, std::size_t piece) {
                    const std::size_t at = piece * kPieceBytes;
                    const std::size_t size = std::min(kPieceBytes, part.memory.size() - at);
                    return ReadPart({.file = part.file,
                                     .path = part.path,
                                     .offset = part.offset + at,
                                     .needed = std::min<std::uint64_t>(size, part.needed - at),
                                     .memory = part.memory.subspan(at, size)});
                  }});
}

TablePlace PlaceOf(const TableInFile& table) {
  if (table.format.scaled()) {
    return {.begin = 0, .needed = table.bytes(), .bytes = table.bytes()};
  }
  const std::size_t alignment = table.values.file->alignment();
  TablePlace place;
  place.begin = table.values.offset % alignment;
  place.needed = place.begin + table.bytes();
  place.bytes = (place.needed + alignment - 1) / alignment * alignment;
  return place;
}

absl::Status LoadTable(const TableInFile& table, const TablePlace& place,
                       std::span<std::byte> memory, int threads) {
  const TableFile& values = *table.values.file;
  if (table.format.scaled()) {
    RETURN_IF_ERROR(LoadPacked(table, memory, threads));
    RETURN_IF_ERROR(table.scales.file->CheckUnchanged());
    return values.CheckUnchanged();
  }
  RETURN_IF_ERROR(LoadFromFile({.file = &values,
                                .path = values.path(),
                                .offset = table.values.offset - place.begin,
                                .needed = place.needed,
                                .memory = memory},
                               threads));
  return values.CheckUnchanged();
}

}  // namespace engram
