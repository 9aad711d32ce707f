// SPDX-License-Identifier: Apache-2.0
// Memory that several processes can map and that, once it is full, nobody can change any more: a
// memfd whose seals the kernel enforces. It lives as long as any process holds its descriptor, so a
// table in it can outlive the server that filled it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "base/descriptor.h"

namespace engram {

// A read-only mapping of memory that nobody can change. Movable.
class SealedMapping {
 public:
  // Checks that `memory` is a memfd of at least `bytes` bytes, sealed against writing, growing and
  // shrinking; FailedPrecondition says which of these it is not.
  static absl::StatusOr<SealedMapping> Map(const Descriptor& memory, std::size_t bytes);

  SealedMapping(SealedMapping&& other) noexcept;
  SealedMapping& operator=(SealedMapping&& other) noexcept;
  ~SealedMapping();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit SealedMapping(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

// FailedPrecondition unless `memory` is a memfd with all the seals that Seal sets. One fcntl.
absl::Status CheckSealed(const Descriptor& memory);

// Memory being filled.
class UnsealedMemory {
 public:
  // Zeros, writable; on huge pages of the system's pool (2 MiB) where `pooled` and it has enough,
  // else on ordinary shared memory. `name` shows in /proc. ResourceExhausted if there is none.
  static absl::StatusOr<UnsealedMemory> Create(const std::string& name, std::size_t bytes,
                                               bool pooled);

  UnsealedMemory(UnsealedMemory&& other) noexcept;
  UnsealedMemory& operator=(UnsealedMemory&& other) noexcept;
  ~UnsealedMemory();

  std::span<std::byte> bytes() const { return bytes_; }
  bool pooled() const { return pooled_; }

  // Has the kernel put small pages on huge ones where it can. After it is filled.
  void Collapse();

  // Ends writing for good, here and everywhere: unmaps, seals, and gives the descriptor away.
  static absl::StatusOr<Descriptor> Seal(UnsealedMemory memory);

 private:
  UnsealedMemory(Descriptor file, std::span<std::byte> mapping, std::size_t bytes, bool pooled);
  void Unmap();

  Descriptor file_;
  std::span<std::byte> mapping_;  // whole pages
  std::span<std::byte> bytes_;
  bool pooled_ = false;
};

}  // namespace engram
