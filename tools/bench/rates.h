// SPDX-License-Identifier: Apache-2.0
// Rates of runs that were repeated: what is told of them.
#pragma once

#include <vector>

#include "nlohmann/json_fwd.hpp"

namespace engram::bench {

struct Numbers {
  double median;
  double least;
  double most;
};

// REQUIRES: not empty.
Numbers Summarise(std::vector<double> values);

// Of runs that took turns, the median of a run's rate to its neighbour's: what is slow for both for
// a while cancels out. REQUIRES: as many of both, not none.
Numbers Ratio(const std::vector<double>& rates, const std::vector<double>& of);

nlohmann::json ToJson(const Numbers& numbers);

}  // namespace engram::bench
