// SPDX-License-Identifier: Apache-2.0
// "Did you mean …?" for a mistyped flag or key.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engram {

// The one of `names` that takes the fewest edits (letters inserted, removed, replaced, swapped)
// from `name`; nothing if even that takes more than a third of its letters.
std::optional<std::string> NearestName(std::string_view name,
                                       const std::vector<std::string>& names);

}  // namespace engram
