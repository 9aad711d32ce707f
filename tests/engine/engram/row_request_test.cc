// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/row_request.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(RowRequestTest, CarriesTheLargestRows) {
  const RowRequest request(limits::kEngramRowsMax - 1, limits::kBatchedTokensMax - 1);
  EXPECT_EQ(request.table_row(), limits::kEngramRowsMax - 1);
  EXPECT_EQ(request.step_row(), limits::kBatchedTokensMax - 1);
}

// Both algorithms: few requests and many, one byte of row id up to five.
TEST(RowRequestTest, SortsByTableRow) {
  std::mt19937_64 random(3);
  for (const std::int64_t table_rows :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{256}, std::int64_t{257},
        std::int64_t{36'199'972}, limits::kEngramRowsMax}) {
    for (const std::size_t count : {0u, 1u, 2u, 95u, 96u, 1000u, 5000u}) {
      std::vector<RowRequest> requests;
      for (std::size_t i = 0; i < count; ++i) {
        requests.emplace_back(static_cast<std::int64_t>(random() % table_rows),
                              static_cast<int>(random() % 4096));
      }
      using Pair = std::pair<std::int64_t, int>;
      std::vector<Pair> expected;
      for (const RowRequest r : requests) expected.emplace_back(r.table_row(), r.step_row());
      std::sort(expected.begin(), expected.end());

      std::vector<RowRequest> scratch(count);
      SortByTableRow(requests, scratch, table_rows);

      std::vector<Pair> sorted;
      for (const RowRequest r : requests) sorted.emplace_back(r.table_row(), r.step_row());
      EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end(),
                                 [](const Pair& a, const Pair& b) { return a.first < b.first; }));
      std::sort(sorted.begin(), sorted.end());
      EXPECT_EQ(sorted, expected) << "requests were lost or made up";
    }
  }
}

}  // namespace
}  // namespace engram
