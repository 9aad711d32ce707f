// SPDX-License-Identifier: Apache-2.0
// How deeply JSON text nests, counted before it is parsed, so that no file makes a parser build a
// tree without bound.
#pragma once

#include <string_view>

namespace engram {

// The deepest nesting of [ and { outside strings. Any text has an answer, JSON or not.
int JsonDepth(std::string_view text);

}  // namespace engram
