// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/descriptor.h"
#include "base/status_macros.h"

namespace engram {
namespace {

// `what` and the path, with the code that errno stands for (NotFound for ENOENT, ...).
absl::Status SystemError(const std::string& path, const char* what) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": ", what));
}

int Advice(AccessPattern pattern) {
  switch (pattern) {
    case AccessPattern::kRandom:
      return MADV_RANDOM;
    case AccessPattern::kSequential:
      return MADV_SEQUENTIAL;
    case AccessPattern::kWillNeed:
      return MADV_WILLNEED;
    case AccessPattern::kNormal:
      break;
  }
  return MADV_NORMAL;
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  // O_NONBLOCK: a named pipe is an error below, not a wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) return SystemError(path, "cannot open");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return SystemError(path, "cannot stat");
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a regular file"));
  }
  if (info.st_size == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": the file is empty; was its download cut short?"));
  }
  ASSIGN_OR_RETURN(const FileIdentity identity, IdentityOf(file.get(), path));
  const auto size = static_cast<std::size_t>(identity.bytes);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return SystemError(path, "cannot map into memory");
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(data), size);
  return MappedFile(bytes, identity, KnownMapping(bytes, path));
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      identity_(other.identity_),
      known_(std::move(other.known_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(identity_, other.identity_);
  std::swap(known_, other.known_);
  return *this;
}

MappedFile::~MappedFile() {
  known_ = KnownMapping();  // before another mapping can have its addresses
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void AdviseAccess(std::span<const std::byte> bytes, AccessPattern pattern) {
  if (bytes.empty()) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::uintptr_t first_page = begin / page * page;
  ::madvise(reinterpret_cast<void*>(first_page), begin + bytes.size() - first_page,
            Advice(pattern));
}

}  // namespace engram
