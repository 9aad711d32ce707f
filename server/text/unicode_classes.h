// SPDX-License-Identifier: Apache-2.0
// What Hugging Face's regex engine (Oniguruma, Unicode 16.0) puts in a character class and
// PCRE2 10.42 (Unicode 14.0) does not: characters that were assigned in between. A newer PCRE2
// knows some of them itself; naming them twice does no harm.
#pragma once

#include <span>

namespace engram {

struct CodePointRange {
  char32_t first = 0;
  char32_t last = 0;  // inclusive
};

// Members of the general category `category` ('L', 'M', 'N', 'P' or 'S') that PCRE2 may not know;
// empty for any other letter.
std::span<const CodePointRange> NewMembersOf(char category);

// \s, whole: PCRE2's own takes U+180E as well, which stopped being white space in Unicode 6.3.
std::span<const CodePointRange> WhiteSpace();

}  // namespace engram
