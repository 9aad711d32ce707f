// SPDX-License-Identifier: Apache-2.0
// The value of --engram-config: where Engram tables lie and what that may cost, as one JSON object.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/options.h"

namespace engram {

// {"placement": "ram", "ram_budget": "12GiB", …}: every key may be left out, an unknown one is an
// error that names it. `text` may be "@FILE" instead: the object is read from that file.
absl::StatusOr<EngramStorageOptions> ParseEngramStorage(std::string_view text);

// As ParseEngramStorage takes it, with every key.
std::string ShowEngramStorage(const EngramStorageOptions& options);

}  // namespace engram
