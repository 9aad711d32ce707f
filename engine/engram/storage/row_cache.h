// SPDX-License-Identifier: Apache-2.0
// Rows of a slow table that were wanted lately, in memory of a fixed size. Rows and not pages: of a
// page of a hashed table one row in fifteen is ever wanted. Set-associative with a second chance:
// eight places where a row may be, and a row that was found again stays while one that was not
// goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engram/storage/huge_memory.h"

namespace engram {

// Thread-safe; allocates nothing after it is made.
class RowCache {
 public:
  // Holds as many rows as fit into `bytes` with all that is kept about them; none if that is fewer
  // than a set.
  static absl::StatusOr<RowCache> Make(std::size_t bytes, std::size_t row_bytes);

  RowCache(RowCache&&) = default;

  // Copies the row to `out` (row_bytes); false if it is not here.
  bool Find(std::int64_t row, std::byte* out);
  bool Contains(std::int64_t row);
  // `bytes` (row_bytes) is what the table has; a row that is here already stays as it is.
  void Insert(std::int64_t row, const std::byte* bytes);

  std::size_t capacity() const { return tags_.size(); }  // rows
  // What a cache of `rows` rows takes in all.
  static std::size_t BytesFor(std::size_t rows, std::size_t row_bytes);

 private:
  // The lock of every so many'th set, on a cache line of its own.
  struct alignas(64) Lock {
    std::mutex mutex;
  };

  RowCache(HugeMemory data, std::size_t sets, std::size_t row_bytes);
  std::size_t SetOf(std::int64_t row) const;
  std::mutex& MutexOf(std::size_t set) { return locks_[set % locks_.size()].mutex; }
  // The place of the row in its set. REQUIRES: the set's lock is held.
  int PlaceOf(std::size_t set, std::int64_t row) const;
  // Whose place a new row takes.
  int Evict(std::size_t set);
  std::byte* Data(std::size_t set, int place);

  std::size_t row_bytes_;
  // Per set, protected by its lock.
  std::vector<std::int64_t> tags_;    // [sets, 8] row ids; −1: empty
  std::vector<std::uint8_t> wanted_;  // [sets] bit per place: found since it was last looked at
  std::vector<std::uint8_t> hand_;    // [sets] the place that is looked at next
  HugeMemory data_;                   // [sets, 8, row_bytes]
  std::vector<Lock> locks_;
};

}  // namespace engram
