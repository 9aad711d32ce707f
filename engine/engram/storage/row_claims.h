// SPDX-License-Identifier: Apache-2.0
// Which rows are being read from a drive right now, and by whom: a row that a hint or another
// gather is reading is waited for and not read a second time. Whoever has read a row puts it into
// the row cache before giving up the claim.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "absl/container/flat_hash_map.h"

namespace engram {

// Thread-safe. Nobody may wait while holding claims: two that wait for each other would never end.
class RowClaims {
 public:
  // Names one who reads; only compared.
  using Reader = const void*;

  // Allocates nothing while at most `rows_max` rows are claimed.
  explicit RowClaims(std::size_t rows_max);

  // False if somebody, the reader too, has claimed it already.
  bool Claim(std::int64_t row, Reader reader);
  // Gives up the reader's claim. False if it has none.
  bool Release(std::int64_t row, Reader reader);
  void ReleaseAll(Reader reader);
  // Waits until nobody claims the row.
  void Await(std::int64_t row);

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  // State below is protected by mutex_.
  absl::flat_hash_map<std::int64_t, Reader> claims_;
  int waiting_ = 0;  // threads
};

}  // namespace engram
