// SPDX-License-Identifier: Apache-2.0
// See utf8.h. The table of allowed second bytes is table 3-7 of the Unicode standard.
#include "server/text/utf8.h"

#include "base/check.h"

namespace engram {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct LeadByte {
  std::size_t bytes = 0;  // length of the sequence; 0: no sequence begins so
  // Allowed second bytes: narrower than 80 … BF where that keeps out overlong forms, surrogates and
  // what lies beyond U+10FFFF.
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xBF;
};

LeadByte ReadLeadByte(unsigned char byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {0};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

}  // namespace

Utf8Unit FirstUtf8Unit(std::string_view text) {
  CHECK(!text.empty());
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const LeadByte lead = ReadLeadByte(byte(0));
  if (lead.bytes == 0) return {Utf8Kind::kBroken, 1};
  if (lead.bytes == 1) return {Utf8Kind::kCharacter, 1, byte(0)};
  char32_t code_point = byte(0) & (0x7F >> lead.bytes);
  for (std::size_t i = 1; i < lead.bytes; ++i) {
    if (i == text.size()) return {Utf8Kind::kIncomplete, i};
    const unsigned char min = i == 1 ? lead.second_min : 0x80;
    const unsigned char max = i == 1 ? lead.second_max : 0xBF;
    if (byte(i) < min || byte(i) > max) return {Utf8Kind::kBroken, i};
    code_point = code_point << 6 | (byte(i) & 0x3F);
  }
  return {Utf8Kind::kCharacter, lead.bytes, code_point};
}

std::size_t ValidUtf8Prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Unit unit = FirstUtf8Unit(text.substr(at));
    if (unit.kind != Utf8Kind::kCharacter) break;
    at += unit.bytes;
  }
  return at;
}

bool IsValidUtf8(std::string_view text) { return ValidUtf8Prefix(text) == text.size(); }

std::size_t AppendRepairedUtf8(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const std::size_t valid = ValidUtf8Prefix(bytes);
    out.append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    const Utf8Unit unit = FirstUtf8Unit(bytes);
    if (unit.kind == Utf8Kind::kIncomplete) return unit.bytes;
    out.append(kReplacement);
    bytes.remove_prefix(unit.bytes);
  }
  return 0;
}

std::string RepairedUtf8(std::string_view bytes) {
  std::string out;
  if (AppendRepairedUtf8(bytes, out) > 0) out.append(kReplacement);
  return out;
}

void AppendUtf8(char32_t code_point, std::string& out) {
  const auto tail = [&](int shift) {
    out.push_back(static_cast<char>(0x80 | (code_point >> shift & 0x3F)));
  };
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out.push_back(static_cast<char>(0xC0 | code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | code_point >> 12));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace engram
