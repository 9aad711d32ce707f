// SPDX-License-Identifier: Apache-2.0
// When an open loop sends its requests, fixed before the first one leaves: what the server does
// cannot move them.
#pragma once

#include <vector>

#include "tools/bench/serve/options.h"

namespace engram::bench {

// Whether requests have times of their own; false: each is sent when another one ends.
bool IsOpenLoop(const LoadOptions& load);

// Seconds after the start, ascending: `num_prompts` of them, or as many as lie in `duration_s`, or
// both limits. Gaps are gamma distributed with shape `burstiness` and mean 1 / rate. With a count
// and no ramp they are scaled so that the last arrival is at count / rate: runs with different
// seeds then offer the same load.
// REQUIRES: IsOpenLoop(load)
std::vector<double> ArrivalTimes(const LoadOptions& load);

}  // namespace engram::bench
