// SPDX-License-Identifier: Apache-2.0
// Radix sort from the least significant byte: a step's thousands of random rows cost a third of
// what std::sort's mispredicted branches do (docs/bench/engram_lookup.md). Few rows are left to
// std::sort, which has no counters to clear.
#include "engine/engram/row_request.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <utility>

#include "base/check.h"

namespace engram {
namespace {

constexpr int kDigitBits = 8;
constexpr std::size_t kRadixRequestsMin = 96;

// One stable pass by the digit at `shift` of the table row. False if all have the same digit (rows
// of one lookup share their high ones): `to` is untouched then.
bool SortByDigit(std::span<const RowRequest> from, RowRequest* to, int shift) {
  constexpr std::int64_t kMask = (1 << kDigitBits) - 1;
  std::array<std::uint32_t, kMask + 1> next{};
  for (const RowRequest request : from) ++next[request.table_row() >> shift & kMask];
  if (next[from[0].table_row() >> shift & kMask] == from.size()) return false;
  std::uint32_t begin = 0;
  for (std::uint32_t& count : next) begin += std::exchange(count, begin);
  for (const RowRequest request : from) to[next[request.table_row() >> shift & kMask]++] = request;
  return true;
}

}  // namespace

void SortByTableRow(std::span<RowRequest> requests, std::span<RowRequest> scratch,
                    std::int64_t table_rows) {
  CHECK_EQ(requests.size(), scratch.size());
  if (requests.size() < kRadixRequestsMin) {
    std::sort(requests.begin(), requests.end());
    return;
  }
  std::span<RowRequest> from = requests;
  std::span<RowRequest> to = scratch;
  const int row_bits = std::bit_width(static_cast<std::uint64_t>(table_rows - 1));
  for (int shift = 0; shift < row_bits; shift += kDigitBits) {
    if (SortByDigit(from, to.data(), shift)) std::swap(from, to);
  }
  if (from.data() != requests.data()) std::copy(from.begin(), from.end(), requests.begin());
}

}  // namespace engram
