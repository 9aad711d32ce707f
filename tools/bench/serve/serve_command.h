// SPDX-License-Identifier: Apache-2.0
// `engram-bench serve`: one run from settings to result.
#pragma once

#include "absl/status/statusor.h"
#include "tools/bench/serve/options.h"
#include "tools/bench/serve/result.h"

namespace engram::bench {

// Asks the server what must be known, warms up, sends the load, sums up. Prints progress to
// standard error and nothing else. Fills what the server told (model, vocabulary) into `options`.
absl::StatusOr<RunResult> RunServe(Options* options);

}  // namespace engram::bench
