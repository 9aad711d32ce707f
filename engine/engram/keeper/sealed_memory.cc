// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/keeper/sealed_memory.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/engram/storage/huge_memory.h"
#include "engine/engram/storage/huge_page_pools.h"

namespace engram {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

std::size_t RoundUp(std::size_t size, std::size_t unit) { return (size + unit - 1) / unit * unit; }

// Maps all of the file at a multiple of 2 MiB, without which no huge page can be used. Null:
// failed, errno says why.
std::byte* MapAligned(const Descriptor& file, std::size_t bytes, int protection, int flags) {
  const std::size_t usable = RoundUp(bytes, kHugePage2M);
  const std::size_t reserved = usable + kHugePage2M;
  void* data =
      mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  auto* const first = static_cast<std::byte*>(data);
  const std::size_t skip = RoundUp(reinterpret_cast<std::uintptr_t>(first), kHugePage2M) -
                           reinterpret_cast<std::uintptr_t>(first);
  std::byte* const begin = first + skip;
  if (mmap(begin, bytes, protection, MAP_SHARED | MAP_FIXED | flags, file.get(), 0) == MAP_FAILED) {
    const int error = errno;
    munmap(first, reserved);
    errno = error;
    return nullptr;
  }
  // What is left on both sides goes back: whole pages of the mapping stay.
  const std::size_t end = skip + RoundUp(bytes, sysconf(_SC_PAGESIZE));
  if (skip > 0) munmap(first, skip);
  if (end < reserved) munmap(first + end, reserved - end);
  return begin;
}

absl::Status Errno(const char* what) {
  return absl::ResourceExhaustedError(absl::StrCat(what, " failed (errno ", errno, ")"));
}

}  // namespace

absl::Status CheckSealed(const Descriptor& memory) {
  const int seals = fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0) return absl::FailedPreconditionError("the segment is not a memfd");
  if ((seals & kSeals) == kSeals) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the segment could still be changed: seals ", seals, ", expected ", kSeals));
}

absl::StatusOr<SealedMapping> SealedMapping::Map(const Descriptor& memory, std::size_t bytes) {
  RETURN_IF_ERROR(CheckSealed(memory));
  struct stat info {};
  if (fstat(memory.get(), &info) != 0) return Errno("fstat of a sealed segment");
  if (static_cast<std::size_t>(info.st_size) < bytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("the segment has ", info.st_size, " bytes, expected at least ", bytes));
  }
  // With its page tables: no lookup pays for them later.
  std::byte* const data = MapAligned(memory, bytes, PROT_READ, MAP_POPULATE);
  if (data == nullptr) return Errno("mmap of a sealed segment");
  madvise(data, bytes, MADV_DONTDUMP);
  return SealedMapping({data, bytes});
}

SealedMapping::SealedMapping(SealedMapping&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

SealedMapping& SealedMapping::operator=(SealedMapping&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

SealedMapping::~SealedMapping() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

absl::StatusOr<UnsealedMemory> UnsealedMemory::Create(const std::string& name, std::size_t bytes,
                                                      bool pooled) {
  std::vector<HugePagePool> pools;
  if (pooled) pools = FreeHugePages(kHugePage2M);
  const bool from_pool = TakeHugePages(bytes, &pools) > 0;
  for (const bool huge : {true, false}) {
    if (huge && !from_pool) continue;
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING |
                           (huge ? unsigned{MFD_HUGETLB} | unsigned{MFD_HUGE_2MB} : 0u);
    Descriptor file(memfd_create(name.c_str(), flags));
    if (!file.ok()) {
      if (huge) continue;
      return Errno("memfd_create");
    }
    // Whole huge pages of ordinary shared memory too: the last one then is one.
    const bool whole = huge || bytes >= kHugePage2M;
    const std::size_t rounded = RoundUp(bytes, whole ? kHugePage2M : sysconf(_SC_PAGESIZE));
    if (ftruncate(file.get(), static_cast<off_t>(rounded)) != 0) {
      if (huge) continue;
      return Errno("ftruncate of a new segment");
    }
    // Of the pool this reserves: later writes cannot fail for want of pages.
    std::byte* const data = MapAligned(file, rounded, PROT_READ | PROT_WRITE, 0);
    if (data == nullptr) {
      if (huge) continue;
      return Errno("mmap of a new segment");
    }
    madvise(data, rounded, MADV_DONTDUMP);
    if (!huge) madvise(data, rounded, MADV_HUGEPAGE);
    return UnsealedMemory(std::move(file), {data, rounded}, bytes, huge);
  }
  return absl::ResourceExhaustedError("no memory for a segment");
}

UnsealedMemory::UnsealedMemory(Descriptor file, std::span<std::byte> mapping, std::size_t bytes,
                               bool pooled)
    : file_(std::move(file)), mapping_(mapping), bytes_(mapping.first(bytes)), pooled_(pooled) {}

UnsealedMemory::UnsealedMemory(UnsealedMemory&& other) noexcept
    : file_(std::move(other.file_)),
      mapping_(std::exchange(other.mapping_, {})),
      bytes_(std::exchange(other.bytes_, {})),
      pooled_(other.pooled_) {}

UnsealedMemory& UnsealedMemory::operator=(UnsealedMemory&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(mapping_, other.mapping_);
  std::swap(bytes_, other.bytes_);
  std::swap(pooled_, other.pooled_);
  return *this;
}

UnsealedMemory::~UnsealedMemory() { Unmap(); }

void UnsealedMemory::Unmap() {
  if (!mapping_.empty()) munmap(mapping_.data(), mapping_.size());
  mapping_ = {};
  bytes_ = {};
}

void UnsealedMemory::Collapse() {
  if (!pooled_) CollapsePages(mapping_);
}

absl::StatusOr<Descriptor> UnsealedMemory::Seal(UnsealedMemory memory) {
  memory.Unmap();  // the kernel refuses to seal what somebody could still write
  if (fcntl(memory.file_.get(), F_ADD_SEALS, kSeals) != 0) return Errno("sealing a segment");
  return std::move(memory.file_);
}

}  // namespace engram
