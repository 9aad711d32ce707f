// SPDX-License-Identifier: Apache-2.0
// Compares a tensor that was found with the one that was wanted.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "engine/checkpoint/checkpoint.h"

namespace engram {

// InvalidArgument that names file, tensor, expected and found, if shape or dtype is another.
absl::Status CheckTensor(const TensorInfo& found, const TensorSpec& expected);

// "[4, 2] of f32, bf16 or f16"
std::string SpecToString(const TensorSpec& spec);

}  // namespace engram
