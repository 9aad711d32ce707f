// SPDX-License-Identifier: Apache-2.0
#include "config/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace engram {
namespace {

// Insertions, removals, replacements and swaps of neighbours, one row of the table at a time
// (optimal string alignment).
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last.back();
}

}  // namespace

std::optional<std::string> NearestName(std::string_view name,
                                       const std::vector<std::string>& names) {
  std::optional<std::string> nearest;
  std::size_t edits_min = 0;
  for (const std::string& candidate : names) {
    const std::size_t edits = EditDistance(name, candidate);
    if (!nearest.has_value() || edits < edits_min) {
      nearest = candidate;
      edits_min = edits;
    }
  }
  if (nearest.has_value() && edits_min * 3 > std::max(name.size(), nearest->size())) {
    return std::nullopt;
  }
  return nearest;
}

}  // namespace engram
