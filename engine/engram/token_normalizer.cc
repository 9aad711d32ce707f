// SPDX-License-Identifier: Apache-2.0
// See token_normalizer.h. Hugging Face mixes Unicode versions: its NFKC, NFD and marks are tables
// of Unicode 9.0, its lower case is Rust's (17.0). ICU 72 is neither, so the first are narrowed to
// what Unicode 9.0 knew and the second has a table of what came later.
#include "engine/engram/token_normalizer.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>
#include <unicode/uversion.h>

#include <algorithm>
#include <span>

#include "base/check.h"

namespace engram {
namespace {

using icu::UnicodeString;

constexpr char16_t kPlaceholder = 0xE000;  // keeps a lone blank from being trimmed away

bool IsKnownToUnicode9(UChar32 c) {
  UVersionInfo age;
  u_charAge(c, age);
  return age[0] >= 1 && age[0] <= 9;  // there is no 9.1
}

// Unicode 9.0's general category Mark; three characters have changed sides since.
bool IsMark(UChar32 c) {
  if (c == 0x1CF2 || c == 0x1CF3) return true;
  if (c == 0x111C9) return false;
  return (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0 && IsKnownToUnicode9(c);
}

struct LowerRange {
  UChar32 first;
  UChar32 last;
  UChar32 lower;  // of `first`; the others follow
};

// Capitals of Unicode 15.1 … 17 that ICU 72 does not know.
constexpr LowerRange kNewCapitals[] = {
    {0x1C89, 0x1C89, 0x1C8A},    {0xA7CB, 0xA7CB, 0x0264}, {0xA7CC, 0xA7CC, 0xA7CD},
    {0xA7CE, 0xA7CE, 0xA7CF},    {0xA7D2, 0xA7D2, 0xA7D3}, {0xA7D4, 0xA7D4, 0xA7D5},
    {0xA7DA, 0xA7DA, 0xA7DB},    {0xA7DC, 0xA7DC, 0x019B}, {0x10D50, 0x10D65, 0x10D70},
    {0x16EA0, 0x16EB8, 0x16EBB},
};

// Per code point, never per string: a capital sigma at a word's end is no special case.
UChar32 ToLower(UChar32 c) {
  for (const LowerRange& range : kNewCapitals) {
    if (c >= range.first && c <= range.last) return range.lower + (c - range.first);
  }
  return u_tolower(c);
}

UnicodeString StripMarksAndLower(const UnicodeString& text) {
  UnicodeString out;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    if (!IsMark(c)) out.append(ToLower(c));
  }
  return out;
}

// Runs of these four, and only these, become one space.
UnicodeString CollapseBlanks(const UnicodeString& text) {
  UnicodeString out;
  bool in_run = false;
  for (std::int32_t i = 0; i < text.length(); ++i) {
    const char16_t unit = text[i];
    const bool is_blank = unit == u' ' || unit == u'\t' || unit == u'\r' || unit == u'\n';
    if (!is_blank) {
      out.append(unit);
    } else if (!in_run) {
      out.append(u' ');
    }
    in_run = is_blank;
  }
  return out;
}

// Both ends, all of Unicode's white space (every one of them is a single UTF-16 unit).
UnicodeString Trim(const UnicodeString& text) {
  std::int32_t begin = 0;
  std::int32_t end = text.length();
  while (begin < end && u_isUWhiteSpace(text[begin])) ++begin;
  while (end > begin && u_isUWhiteSpace(text[end - 1])) --end;
  return UnicodeString(text, begin, end - begin);
}

}  // namespace

struct TokenNormalizer::Forms {
  Forms(const icu::Normalizer2& nfkc_all, const icu::Normalizer2& nfd_all, icu::UnicodeSet known)
      : known_to_unicode9(std::move(known)),
        nfkc(nfkc_all, known_to_unicode9),
        nfd(nfd_all, known_to_unicode9) {}

  UnicodeString Apply(const icu::Normalizer2& form, const UnicodeString& text) const {
    UErrorCode error = U_ZERO_ERROR;
    UnicodeString out = form.normalize(text, error);
    CHECK_MSG(U_SUCCESS(error), u_errorName(error));
    return out;
  }

  const icu::UnicodeSet known_to_unicode9;  // the two forms refer to it
  const icu::FilteredNormalizer2 nfkc;
  const icu::FilteredNormalizer2 nfd;
};

TokenNormalizer::TokenNormalizer() {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(error);
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(error);
  icu::UnicodeSet known(UnicodeString(u"[:Age=9.0:]"), error);  // of that age or older
  CHECK_MSG(U_SUCCESS(error), u_errorName(error));
  known.freeze();
  forms_ = std::make_unique<const Forms>(*nfkc, *nfd, std::move(known));
}

TokenNormalizer::~TokenNormalizer() = default;

std::string TokenNormalizer::Normalize(std::string_view text) const {
  UnicodeString wide = UnicodeString::fromUTF8({text.data(), static_cast<int>(text.size())});
  wide = forms_->Apply(forms_->nfd, forms_->Apply(forms_->nfkc, wide));
  wide = CollapseBlanks(StripMarksAndLower(wide));
  if (wide.length() == 1 && wide[0] == u' ') wide = UnicodeString(kPlaceholder);
  wide = Trim(wide);
  wide.findAndReplace(UnicodeString(kPlaceholder), UnicodeString(u' '));
  std::string out;
  wide.toUTF8String(out);
  return out;
}

}  // namespace engram
