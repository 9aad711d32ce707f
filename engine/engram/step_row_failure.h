// SPDX-License-Identifier: Apache-2.0
// A row of a step of which a table row could not be read. What is computed from it is void; the
// other rows of the step are not touched by it (docs/adr/0005-row-invariant-kernels.md).
#pragma once

#include <string>

namespace engram {

struct StepRowFailure {
  int step_row = 0;
  std::string message;  // what could not be read, and why
};

}  // namespace engram
