// SPDX-License-Identifier: Apache-2.0
#include "server/api_keys.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "config/limits.h"

namespace engram {
namespace {

constexpr std::string_view kScheme = "Bearer ";

// True if equal. Looks at every character of `given` whatever it finds on the way.
bool EqualInConstantTime(std::string_view given, const std::string& key) {
  std::size_t difference = given.size() ^ key.size();
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^
                  static_cast<unsigned char>(key[std::min(i, key.size() - 1)]);
  }
  return difference == 0;
}

bool IsKeyCharacter(char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); }

}  // namespace

absl::StatusOr<ApiKeys> ApiKeys::Parse(std::string_view text) {
  std::vector<std::string> keys;
  int line_number = 0;
  for (const auto line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++line_number;
    const std::string_view key = ToStd(absl::StripAsciiWhitespace(line));
    if (key.empty() || key.front() == '#') continue;
    if (!std::all_of(key.begin(), key.end(), IsKeyCharacter)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "line ", line_number, ": a key has only printable ASCII characters and no blanks"));
    }
    keys.emplace_back(key);
  }
  if (keys.empty()) return absl::InvalidArgumentError("there is no key in it");
  if (keys.size() > limits::kApiKeysMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(keys.size(), " keys, at most ", limits::kApiKeysMax, " are allowed"));
  }
  return ApiKeys(std::move(keys));
}

bool ApiKeys::Accepts(std::string_view authorization) const {
  if (keys_.empty()) return true;
  if (!absl::StartsWithIgnoreCase(ToAbsl(authorization), ToAbsl(kScheme))) return false;
  const std::string_view given =
      ToStd(absl::StripAsciiWhitespace(ToAbsl(authorization.substr(kScheme.size()))));
  bool accepted = false;
  for (const std::string& key : keys_) accepted |= EqualInConstantTime(given, key);
  return accepted;
}

}  // namespace engram
