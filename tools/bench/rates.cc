// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/rates.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/check.h"
#include "nlohmann/json.hpp"

namespace engram::bench {

Numbers Summarise(std::vector<double> values) {
  CHECK(!values.empty());
  std::ranges::sort(values);
  return {values[values.size() / 2], values.front(), values.back()};
}

Numbers Ratio(const std::vector<double>& rates, const std::vector<double>& of) {
  CHECK_EQ(rates.size(), of.size());
  std::vector<double> ratios;
  for (std::size_t i = 0; i < rates.size(); ++i) ratios.push_back(rates[i] / of[i]);
  return Summarise(std::move(ratios));
}

nlohmann::json ToJson(const Numbers& numbers) {
  return {{"median", numbers.median}, {"min", numbers.least}, {"max", numbers.most}};
}

}  // namespace engram::bench
