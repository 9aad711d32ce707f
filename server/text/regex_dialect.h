// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json's regex (Oniguruma's dialect, Unicode 16.0) as a PCRE2 pattern with the same
// matches. Only constructs known to mean the same are let through; any other is an error at load,
// because a pattern that is read a little differently splits a few texts differently, and nobody
// notices.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace engram {

// Unimplemented, naming the construct, if the pattern uses one outside the common ground: literals,
// classes, groups, look-around, (?i:…), quantifiers, \s \S \r \n \t \f \x{…}, and \p{…} or \P{…} of
// L, M, N, P, S. `pattern` is valid UTF-8.
absl::StatusOr<std::string> Pcre2Pattern(std::string_view pattern);

}  // namespace engram
