// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/file_part.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace engram {
namespace {

constexpr int kTriesMax = 4;
constexpr std::size_t kPage = 4096;

absl::Status Error(const FilePart& part, std::uint64_t offset, const std::string& what) {
  return absl::DataLossError(
      absl::StrCat(part.path, ": loading an Engram table, at byte ", offset, ": ", what));
}

}  // namespace

// A short read is asked for again from its last whole page on.
absl::Status ReadPart(const FilePart& part) {
  CHECK_LE(part.needed, part.memory.size());
  std::size_t done = 0;
  for (int fruitless = 0; done < part.needed;) {
    const std::uint64_t offset = part.offset + done;
    const std::int64_t got = part.file->ReadAt(offset, part.memory.subspan(done));
    const bool again = got == -EINTR || got == -EAGAIN;
    if (got < 0 && !again) return Error(part, offset, std::strerror(static_cast<int>(-got)));
    if (got > 0 && done + static_cast<std::size_t>(got) >= part.needed) return absl::OkStatus();
    const std::size_t whole = got > 0 ? static_cast<std::size_t>(got) / kPage * kPage : 0;
    done += whole;
    if (whole == 0 && ++fruitless == kTriesMax) {
      return Error(part, offset,
                   absl::StrCat("only ", std::max<std::int64_t>(got, 0), " of ", part.needed - done,
                                " bytes came"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadRows(const RowFile& file, std::int64_t first, std::int64_t count,
                      std::span<std::byte> buffer, std::span<const std::byte>* rows) {
  const std::size_t alignment = file.file->alignment();
  const std::uint64_t begin = file.offset + static_cast<std::uint64_t>(first) * file.row_bytes;
  const std::size_t before = begin % alignment;
  const std::size_t bytes = static_cast<std::size_t>(count) * file.row_bytes;
  const std::size_t needed = before + bytes;
  const std::size_t size = (needed + alignment - 1) / alignment * alignment;
  CHECK_LE(size, buffer.size());
  RETURN_IF_ERROR(ReadPart({.file = file.file,
                            .path = file.file->path(),
                            .offset = begin - before,
                            .needed = needed,
                            .memory = buffer.first(size)}));
  *rows = buffer.subspan(before, bytes);
  return absl::OkStatus();
}

}  // namespace engram
