// SPDX-License-Identifier: Apache-2.0
// See byte_alphabet.h. Bytes that print in Latin-1 stand for themselves; the 68 others take the
// code points from U+0100 on, in order.
#include "server/text/byte_alphabet.h"

#include <array>

#include "base/check.h"
#include "server/text/utf8.h"

namespace engram {
namespace {

constexpr bool StandsForItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<char32_t, 256> MakeCharacters() {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    characters[byte] = StandsForItself(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return characters;
}

constexpr std::array<char32_t, 256> kCharacters = MakeCharacters();
constexpr int kOthers = 68;  // bytes that do not stand for themselves
static_assert(kCharacters[0xAD] == 0x100 + kOthers - 1);

constexpr std::array<unsigned char, kOthers> MakeOthers() {
  std::array<unsigned char, kOthers> others{};
  for (int byte = 0; byte < 256; ++byte) {
    if (kCharacters[byte] >= 0x100) others[kCharacters[byte] - 0x100] = byte;
  }
  return others;
}

constexpr std::array<unsigned char, kOthers> kOtherBytes = MakeOthers();

}  // namespace

char32_t CharacterOfByte(unsigned char byte) { return kCharacters[byte]; }

std::optional<unsigned char> ByteOfCharacter(char32_t character) {
  if (character >= 0x100 + kOthers) return std::nullopt;
  if (character >= 0x100) return kOtherBytes[character - 0x100];
  if (!StandsForItself(static_cast<int>(character))) return std::nullopt;
  return static_cast<unsigned char>(character);
}

std::string SpellBytes(std::string_view bytes) {
  std::string spelling;
  for (const char byte : bytes) AppendUtf8(CharacterOfByte(byte), spelling);
  return spelling;
}

std::string BytesOfToken(std::string_view token) {
  std::string bytes;
  std::string_view rest = token;
  while (!rest.empty()) {
    const Utf8Unit unit = FirstUtf8Unit(rest);
    CHECK(unit.kind == Utf8Kind::kCharacter);
    const std::optional<unsigned char> byte = ByteOfCharacter(unit.code_point);
    if (!byte) return std::string(token);
    bytes.push_back(static_cast<char>(*byte));
    rest.remove_prefix(unit.bytes);
  }
  return bytes;
}

}  // namespace engram
