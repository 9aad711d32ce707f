// SPDX-License-Identifier: Apache-2.0
// UTF-8 as the WHATWG encoding standard reads it: what is well-formed, where a broken sequence
// ends, what could still become a character. Everything that cuts or repairs text goes through
// here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace engram {

enum class Utf8Kind {
  kCharacter,   // one whole character
  kBroken,      // a maximal subpart of an ill-formed sequence: shown as one U+FFFD
  kIncomplete,  // the text ends inside a sequence that is well-formed so far
};

struct Utf8Unit {
  Utf8Kind kind = Utf8Kind::kCharacter;
  std::size_t bytes = 0;    // 1 … 4
  char32_t code_point = 0;  // of kCharacter
};

// The unit at the beginning of `text`. REQUIRES: `text` is not empty.
Utf8Unit FirstUtf8Unit(std::string_view text);

// Bytes before the first one that is not part of a whole character; text.size() if all is
// well-formed.
std::size_t ValidUtf8Prefix(std::string_view text);
bool IsValidUtf8(std::string_view text);

// Appends `bytes` with U+FFFD for each broken sequence, but leaves out an incomplete one at the
// end; returns how many bytes were left out (0 … 3).
std::size_t AppendRepairedUtf8(std::string_view bytes, std::string& out);

// All of `bytes`, an incomplete end included (one U+FFFD).
std::string RepairedUtf8(std::string_view bytes);

void AppendUtf8(char32_t code_point, std::string& out);

}  // namespace engram
