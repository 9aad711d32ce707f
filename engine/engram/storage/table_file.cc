// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/table_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace engram {
namespace {

constexpr std::size_t kAlignmentMin = 512;
constexpr std::size_t kAlignmentMax = 4096;  // of our buffers; also where the kernel does not say

// What the file system asks of O_DIRECT; nothing if it does not do it, or asks for more than we
// align.
std::optional<std::size_t> DirectAlignment(int fd) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) != 0 ||
      (info.stx_mask & STATX_DIOALIGN) == 0) {
    return kAlignmentMax;  // a kernel before 6.1, or a file system that does not say
  }
  const std::size_t alignment =
      std::max<std::size_t>({info.stx_dio_offset_align, info.stx_dio_mem_align, kAlignmentMin});
  if (info.stx_dio_offset_align == 0 || alignment > kAlignmentMax ||
      !std::has_single_bit(alignment)) {
    return std::nullopt;
  }
  return alignment;
}

bool IsInMemory(int fd) {
  struct statfs info {};
  if (::fstatfs(fd, &info) != 0) return false;
  return info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableFile>> TableFile::Open(const TensorPlace& place) {
  const char* path = place.path.c_str();
  Descriptor file(::open(path, O_RDONLY | O_CLOEXEC | O_DIRECT));
  bool direct = file.ok();
  if (direct && !DirectAlignment(file.get()).has_value()) direct = false;
  if (!direct) file = Descriptor(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return absl::ErrnoToStatus(errno, absl::StrCat(place.path, ": cannot open"));
  ASSIGN_OR_RETURN(const FileIdentity identity, IdentityOf(file.get(), place.path));
  RETURN_IF_ERROR(CheckSameFile(place.path, place.identity, identity));
  return std::unique_ptr<TableFile>(new TableFile(std::move(file), place, direct));
}

TableFile::TableFile(Descriptor file, const TensorPlace& place, bool direct)
    : file_(std::move(file)),
      path_(place.path),
      identity_(place.identity),
      direct_(direct),
      in_memory_(IsInMemory(file_.get())) {
  if (direct) alignment_ = *DirectAlignment(file_.get());
}

std::int64_t TableFile::ReadAt(std::uint64_t offset, std::span<std::byte> to) const {
  const ssize_t got = ::pread(file_.get(), to.data(), to.size(), static_cast<off_t>(offset));
  return got < 0 ? -errno : got;
}

absl::Status TableFile::CheckUnchanged() const {
  ASSIGN_OR_RETURN(const FileIdentity now, IdentityOf(file_.get(), path_));
  return CheckSameFile(path_, identity_, now);
}

}  // namespace engram
