// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/row_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"

namespace engram {
namespace {

constexpr int kPlaces = 8;  // as many as there are bits in `wanted_`
constexpr std::size_t kLocksMax = 1024;
constexpr std::int64_t kEmpty = -1;

std::size_t SetBytes(std::size_t row_bytes) {
  return kPlaces * (row_bytes + sizeof(std::int64_t)) + 2;
}

}  // namespace

std::size_t RowCache::BytesFor(std::size_t rows, std::size_t row_bytes) {
  return (rows + kPlaces - 1) / kPlaces * SetBytes(row_bytes);
}

absl::StatusOr<RowCache> RowCache::Make(std::size_t bytes, std::size_t row_bytes) {
  CHECK_GT(row_bytes, 0u);
  const std::size_t sets = bytes / SetBytes(row_bytes);
  const std::size_t data_bytes = std::max<std::size_t>(1, sets * kPlaces * row_bytes);
  ASSIGN_OR_RETURN(HugeMemory data, HugeMemory::Allocate(data_bytes, HugePages::kAuto));
  return RowCache(std::move(data), sets, row_bytes);
}

RowCache::RowCache(HugeMemory data, std::size_t sets, std::size_t row_bytes)
    : row_bytes_(row_bytes),
      tags_(sets * kPlaces, kEmpty),
      wanted_(sets),
      hand_(sets),
      data_(std::move(data)),
      locks_(std::clamp<std::size_t>(sets, 1, kLocksMax)) {}

bool RowCache::Find(std::int64_t row, std::byte* out) {
  if (tags_.empty()) return false;
  const std::size_t set = SetOf(row);
  std::lock_guard lock(MutexOf(set));
  const int place = PlaceOf(set, row);
  if (place == kPlaces) return false;
  wanted_[set] |= static_cast<std::uint8_t>(1 << place);
  std::memcpy(out, Data(set, place), row_bytes_);
  return true;
}

bool RowCache::Contains(std::int64_t row) {
  if (tags_.empty()) return false;
  const std::size_t set = SetOf(row);
  std::lock_guard lock(MutexOf(set));
  return PlaceOf(set, row) != kPlaces;
}

void RowCache::Insert(std::int64_t row, const std::byte* bytes) {
  if (tags_.empty()) return;
  const std::size_t set = SetOf(row);
  std::lock_guard lock(MutexOf(set));
  if (PlaceOf(set, row) != kPlaces) return;
  int place = PlaceOf(set, kEmpty);
  if (place == kPlaces) place = Evict(set);
  tags_[set * kPlaces + place] = row;
  std::memcpy(Data(set, place), bytes, row_bytes_);
}

// Row ids are remainders of hashes, but one layer's lookups have ranges of their own: mixed, so
// that all sets are used alike.
std::size_t RowCache::SetOf(std::int64_t row) const {
  const std::uint64_t mixed = static_cast<std::uint64_t>(row) * 0x9e3779b97f4a7c15u;
  const std::size_t sets = tags_.size() / kPlaces;
  return static_cast<std::size_t>(static_cast<unsigned __int128>(mixed) * sets >> 64);
}

int RowCache::PlaceOf(std::size_t set, std::int64_t row) const {
  const auto begin = tags_.begin() + static_cast<std::ptrdiff_t>(set * kPlaces);
  return static_cast<int>(std::find(begin, begin + kPlaces, row) - begin);
}

int RowCache::Evict(std::size_t set) {
  for (;;) {
    const int place = hand_[set];
    hand_[set] = static_cast<std::uint8_t>((place + 1) % kPlaces);
    const auto bit = static_cast<std::uint8_t>(1 << place);
    if ((wanted_[set] & bit) == 0) return place;
    wanted_[set] &= static_cast<std::uint8_t>(~bit);
  }
}

std::byte* RowCache::Data(std::size_t set, int place) {
  return data_.bytes().data() + (set * kPlaces + static_cast<std::size_t>(place)) * row_bytes_;
}

}  // namespace engram
