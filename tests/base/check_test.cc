// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <algorithm>
#include <optional>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(CheckDeathTest, ShowsConditionAndValues) {
  EXPECT_DEATH(CHECK_EQ(1 + 1, 3), R"(CHECK\(1 \+ 1 == 3\) failed: 2 vs\. 3)");
  EXPECT_DEATH(CHECK(false), R"(CHECK\(false\) failed)");
  EXPECT_DEATH(CHECK_MSG(false, std::string("why")), "failed: why");
}

std::optional<std::string> Text() { return std::string(100, 'x'); }

// The sides once were bound to references that outlived their temporaries.
TEST(Check, TemporariesLiveUntilTheyAreCompared) {
  CHECK_EQ(*Text(), std::string(100, 'x'));
  CHECK_EQ(std::max(Text()->size(), std::size_t{7}), std::size_t{100});
}

}  // namespace
}  // namespace engram
