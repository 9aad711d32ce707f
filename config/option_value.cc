// SPDX-License-Identifier: Apache-2.0
#include "config/option_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/strings.h"

namespace engram {
namespace {

struct Unit {
  const char* name;
  std::int64_t bytes;
};

// Larger ones first, and binary before decimal: ShowBytes takes the first that divides.
constexpr std::array<Unit, 9> kUnits = {{{"TiB", std::int64_t{1} << 40},
                                         {"GiB", 1 << 30},
                                         {"MiB", 1 << 20},
                                         {"KiB", 1 << 10},
                                         {"TB", 1'000'000'000'000},
                                         {"GB", 1'000'000'000},
                                         {"MB", 1'000'000},
                                         {"KB", 1'000},
                                         {"B", 1}}};

std::string Quoted(std::string_view text) { return absl::StrCat("'", ToAbsl(text), "'"); }

absl::Status Invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

std::optional<std::int64_t> UnitBytes(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (absl::EqualsIgnoreCase(ToAbsl(name), unit.name)) return unit.bytes;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::int64_t> ParseInteger(std::string_view text, std::int64_t min,
                                          std::int64_t max) {
  std::int64_t value = 0;
  if (!absl::SimpleAtoi(ToAbsl(text), &value)) {
    return Invalid(Quoted(text) + " is not a whole number");
  }
  if (value < min || value > max) {
    return Invalid(absl::StrCat(value, " is not in [", min, ", ", max, "]"));
  }
  return value;
}

absl::StatusOr<std::uint64_t> ParseUnsigned(std::string_view text) {
  std::uint64_t value = 0;
  if (!absl::SimpleAtoi(ToAbsl(text), &value)) {
    return Invalid(Quoted(text) + " is not a whole number in [0, 2^64)");
  }
  return value;
}

absl::StatusOr<std::int64_t> ParseBytes(std::string_view text, std::int64_t min, std::int64_t max) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view unit = ToStd(absl::StripAsciiWhitespace(ToAbsl(text.substr(digits))));
  double number = 0;
  const auto factor = unit.empty() ? std::optional<std::int64_t>(1) : UnitBytes(unit);
  if (!absl::SimpleAtod(ToAbsl(text.substr(0, digits)), &number) || !factor.has_value()) {
    return Invalid(Quoted(text) + " is not a size such as 1073741824, 512MiB or 2GB");
  }
  const double bytes = number * static_cast<double>(*factor);
  if (bytes != std::floor(bytes)) return Invalid(Quoted(text) + " is not a whole number of bytes");
  if (bytes < static_cast<double>(min) || bytes > static_cast<double>(max)) {
    return Invalid(
        absl::StrCat(ToAbsl(text), " is not in [", ShowBytes(min), ", ", ShowBytes(max), "]"));
  }
  return static_cast<std::int64_t>(bytes);
}

std::string ShowBytes(std::int64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (unit.bytes > 1 && bytes >= unit.bytes && bytes % unit.bytes == 0) {
      return absl::StrCat(bytes / unit.bytes, unit.name);
    }
  }
  return absl::StrCat(bytes);
}

absl::StatusOr<Duration> ParseSeconds(std::string_view text, Duration min, Duration max) {
  double value = 0;
  if (!absl::SimpleAtod(ToAbsl(text), &value) || !std::isfinite(value)) {
    return Invalid(Quoted(text) + " is not a number of seconds");
  }
  const std::chrono::duration<double> seconds(value);
  if (seconds < min || seconds > max) {
    return Invalid(absl::StrCat(ToAbsl(text), " is not in [", ShowSeconds(min), ", ",
                                ShowSeconds(max), "] seconds"));
  }
  return std::chrono::duration_cast<Duration>(seconds);
}

std::string ShowSeconds(Duration duration) {
  // The shortest text that reads back as the same number.
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(),
                                 std::chrono::duration<double>(duration).count());
  return std::string(text.data(), end.ptr);
}

absl::StatusOr<bool> ParseBool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return Invalid(Quoted(text) + " is neither true nor false");
}

absl::StatusOr<int> ParseChoice(std::string_view text, const std::vector<std::string>& choices) {
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] == text) return static_cast<int>(i);
  }
  return Invalid(absl::StrCat(Quoted(text), " is none of ", absl::StrJoin(choices, ", ")));
}

}  // namespace engram
