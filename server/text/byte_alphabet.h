// SPDX-License-Identifier: Apache-2.0
// The alphabet in which byte-level BPE writes its vocabulary: one printable character for each of
// the 256 bytes (a blank is "Ġ", a line end "Ċ"), so that a token is text even where its bytes are
// not. Introduced with GPT-2; tokenizer.json calls it ByteLevel.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace engram {

char32_t CharacterOfByte(unsigned char byte);
std::optional<unsigned char> ByteOfCharacter(char32_t character);

// The vocabulary's spelling of `bytes`.
std::string SpellBytes(std::string_view bytes);

// The bytes that a token of the vocabulary stands for. A token with a character outside the
// alphabet (an added token: "<｜User｜>") stands for its own UTF-8. REQUIRES: `token` is valid
// UTF-8.
std::string BytesOfToken(std::string_view token);

}  // namespace engram
