// SPDX-License-Identifier: Apache-2.0
// The byte-level alphabet: a bijection, and the characters everybody knows.
#include "server/text/byte_alphabet.h"

#include <set>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(ByteAlphabetTest, IsABijection) {
  std::set<char32_t> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t character = CharacterOfByte(static_cast<unsigned char>(byte));
    EXPECT_TRUE(seen.insert(character).second) << byte;
    EXPECT_EQ(ByteOfCharacter(character), static_cast<unsigned char>(byte));
  }
  int characters = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) characters += ByteOfCharacter(c).has_value();
  EXPECT_EQ(characters, 256);
}

TEST(ByteAlphabetTest, SpellsAsVocabulariesDo) {
  EXPECT_EQ(SpellBytes(" apple"), "Ġapple");
  EXPECT_EQ(SpellBytes("\n\t\r"), "Ċĉč");
  EXPECT_EQ(SpellBytes("é"), "Ã©");
  EXPECT_EQ(SpellBytes("😀"), "ðŁĺĢ");
}

TEST(ByteAlphabetTest, ReadsTokensBack) {
  EXPECT_EQ(BytesOfToken("Ġapple"), " apple");
  EXPECT_EQ(BytesOfToken("Ã©"), "é");
  EXPECT_EQ(BytesOfToken("Ã"), "\xC3");
  EXPECT_EQ(BytesOfToken("<｜User｜>"), "<｜User｜>");  // outside the alphabet: itself
  EXPECT_EQ(BytesOfToken("Ġ｜"), "Ġ｜");                // all of it
  EXPECT_EQ(BytesOfToken(""), "");
}

}  // namespace
}  // namespace engram
