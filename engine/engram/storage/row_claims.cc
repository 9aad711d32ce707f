// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/row_claims.h"

namespace engram {

// Twice as many, so that what was erased makes room in place.
RowClaims::RowClaims(std::size_t rows_max) { claims_.reserve(2 * rows_max); }

bool RowClaims::Claim(std::int64_t row, Reader reader) {
  std::lock_guard lock(mutex_);
  return claims_.try_emplace(row, reader).second;
}

bool RowClaims::Release(std::int64_t row, Reader reader) {
  std::lock_guard lock(mutex_);
  const auto claim = claims_.find(row);
  if (claim == claims_.end() || claim->second != reader) return false;
  claims_.erase(claim);
  if (waiting_ > 0) released_.notify_all();
  return true;
}

void RowClaims::ReleaseAll(Reader reader) {
  std::lock_guard lock(mutex_);
  absl::erase_if(claims_, [reader](const auto& claim) { return claim.second == reader; });
  if (waiting_ > 0) released_.notify_all();
}

void RowClaims::Await(std::int64_t row) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  released_.wait(lock, [&] { return !claims_.contains(row); });
  --waiting_;
}

}  // namespace engram
