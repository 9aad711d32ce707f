// SPDX-License-Identifier: Apache-2.0
// JSON as settings are written in it: one object, comments allowed, no key twice.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace engram {

struct JsonMember {
  std::string key;
  std::string value;  // as JSON text
};

// The members in their order. The JSON library would keep the last of two equal keys and say
// nothing; here that is an error.
absl::StatusOr<std::vector<JsonMember>> ParseStrictObject(std::string_view text);

}  // namespace engram
