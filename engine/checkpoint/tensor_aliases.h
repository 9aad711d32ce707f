// SPDX-License-Identifier: Apache-2.0
// Other spellings of tensor names: those that only rename are accepted, those that cut a tensor in
// another way are recognised, so that the error can say what to do.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace engram {

// The name that docs/CHECKPOINT.md gives to the tensor that a file calls `name`; mostly `name`
// itself. Unimplemented if the spelling is known but the tensor has to be converted first.
absl::StatusOr<std::string> CanonicalTensorName(std::string_view name);

}  // namespace engram
