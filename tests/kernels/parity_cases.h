// SPDX-License-Identifier: Apache-2.0
// The table of cases that every backend must pass: each op at sizes that are odd, smaller than a
// vector, larger than a block, and in each weight dtype.
#pragma once

#include <vector>

#include "tests/kernels/op_case.h"

namespace engram::testing_support {

std::vector<OpCase> ParityCases();

}  // namespace engram::testing_support
