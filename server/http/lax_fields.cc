// SPDX-License-Identifier: Apache-2.0
#include "server/http/lax_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/field_error.h"

namespace engram {
namespace {

constexpr std::string_view kInteger = "an integer";
constexpr std::string_view kNumber = "a number";
constexpr std::string_view kBool = "a boolean";
constexpr std::string_view kString = "a string";

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r\f\v";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string_view WithoutPlus(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

std::optional<std::int64_t> Clamped(double value) {
  if (!std::isfinite(value) || value != std::trunc(value)) return std::nullopt;
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (value >= kLimit) return std::numeric_limits<std::int64_t>::max();
  if (value < -kLimit) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(value);
}

std::optional<double> NumberFromText(std::string_view text) {
  text = WithoutPlus(Trimmed(text));
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int ToInt(std::int64_t value) {
  return static_cast<int>(std::clamp<std::int64_t>(value, std::numeric_limits<int>::min(),
                                                   std::numeric_limits<int>::max()));
}

}  // namespace

std::optional<std::int64_t> IntegerFromText(std::string_view text) {
  text = WithoutPlus(Trimmed(text));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    return text[0] == '-' ? std::numeric_limits<std::int64_t>::min()
                          : std::numeric_limits<std::int64_t>::max();
  }
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<bool> LaxBool(JsonValue value) {
  switch (value.kind()) {
    case JsonKind::kBool:
      return value.Bool();
    case JsonKind::kInteger:
    case JsonKind::kNumber:
      if (value.Number() == 0) return false;
      if (value.Number() == 1) return true;
      return std::nullopt;
    case JsonKind::kString:
      break;
    default:
      return std::nullopt;
  }
  static constexpr std::array<std::string_view, 6> kTrue = {"1", "on", "t", "true", "y", "yes"};
  static constexpr std::array<std::string_view, 6> kFalse = {"0", "off", "f", "false", "n", "no"};
  std::string word(value.String());
  for (char& c : word) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c + ('a' - 'A')) : c;
  if (std::find(kTrue.begin(), kTrue.end(), word) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), word) != kFalse.end()) return false;
  return std::nullopt;
}

std::optional<std::int64_t> LaxInteger(JsonValue value) {
  switch (value.kind()) {
    case JsonKind::kInteger:
      return value.Integer();
    case JsonKind::kNumber:
      return Clamped(value.Number());
    case JsonKind::kBool:
      return value.Bool() ? 1 : 0;
    case JsonKind::kString:
      break;
    default:
      return std::nullopt;
  }
  std::string_view text = Trimmed(value.String());
  // "2.0" too, but not "2.5" and not "2e0".
  if (const auto point = text.find('.'); point != std::string_view::npos && point > 0) {
    if (text.find_first_not_of('0', point + 1) != std::string_view::npos) return std::nullopt;
    text = text.substr(0, point);
  }
  return IntegerFromText(text);
}

std::optional<double> LaxNumber(JsonValue value) {
  std::optional<double> number;
  switch (value.kind()) {
    case JsonKind::kInteger:
    case JsonKind::kNumber:
      number = value.Number();
      break;
    case JsonKind::kBool:
      number = value.Bool() ? 1.0 : 0.0;
      break;
    case JsonKind::kString:
      number = NumberFromText(value.String());
      break;
    default:
      break;
  }
  if (!number.has_value() || !std::isfinite(*number)) return std::nullopt;
  return number;
}

void FieldErrors::AddType(std::string path, std::string_view expected, JsonValue got) {
  Add(std::move(path), "must be " + std::string(expected) + ", got " + got.Describe());
}

absl::Status FieldErrors::ToStatus() const {
  if (errors_.empty()) return absl::OkStatus();
  constexpr std::size_t kNamedMax = 8;
  std::string message;
  for (std::size_t i = 0; i < errors_.size() && i < kNamedMax; ++i) {
    // The paths begin with "body.", which tells a reader nothing.
    std::string_view name = errors_[i].first;
    if (name.starts_with("body.")) name.remove_prefix(5);
    if (i > 0) message += "; ";
    message.append(name).append(" ").append(errors_[i].second);
  }
  if (errors_.size() > kNamedMax) {
    message += "; and " + std::to_string(errors_.size() - kNamedMax) + " more";
  }
  return WithErrorCode(InvalidField(errors_[0].first, message), "invalid_type");
}

std::optional<JsonValue> LaxFields::Get(std::string_view name, Null null,
                                        std::string_view expected) const {
  const auto value = object_.Find(name);
  if (!value.has_value() || !value->is(JsonKind::kNull)) return value;
  if (null == Null::kError) errors_->AddType(Path(name), expected, *value);
  return std::nullopt;
}

std::optional<JsonValue> LaxFields::Find(std::string_view name) const {
  return Get(name, Null::kAbsent, "");
}

std::optional<bool> LaxFields::Bool(std::string_view name, Null null) const {
  const auto value = Get(name, null, kBool);
  if (!value.has_value()) return std::nullopt;
  const auto read = LaxBool(*value);
  if (!read.has_value()) errors_->AddType(Path(name), kBool, *value);
  return read;
}

std::optional<std::int64_t> LaxFields::Integer(std::string_view name, Null null) const {
  const auto value = Get(name, null, kInteger);
  if (!value.has_value()) return std::nullopt;
  const auto read = LaxInteger(*value);
  if (!read.has_value()) errors_->AddType(Path(name), kInteger, *value);
  return read;
}

std::optional<int> LaxFields::Int(std::string_view name, Null null) const {
  const auto read = Integer(name, null);
  if (!read.has_value()) return std::nullopt;
  return ToInt(*read);
}

std::optional<double> LaxFields::Number(std::string_view name, Null null) const {
  const auto value = Get(name, null, kNumber);
  if (!value.has_value()) return std::nullopt;
  const auto read = LaxNumber(*value);
  if (!read.has_value()) errors_->AddType(Path(name), kNumber, *value);
  return read;
}

std::optional<std::string> LaxFields::String(std::string_view name, Null null) const {
  const auto value = Get(name, null, kString);
  if (!value.has_value()) return std::nullopt;
  if (!value->is(JsonKind::kString)) {
    errors_->AddType(Path(name), kString, *value);
    return std::nullopt;
  }
  return std::string(value->String());
}

std::optional<std::vector<std::int32_t>> LaxFields::TokenIds(std::string_view name) const {
  const auto list = Array(name);
  if (!list.has_value()) return std::nullopt;
  std::vector<std::int32_t> ids;
  ids.reserve(list->size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto id = LaxInteger(list->At(i));
    if (!id.has_value()) {
      errors_->AddType(Path(name) + '.' + std::to_string(i), kInteger, list->At(i));
      return std::nullopt;
    }
    ids.push_back(ToInt(*id));
  }
  return ids;
}

std::optional<LaxFields> LaxFields::Object(std::string_view name) const {
  const auto value = Find(name);
  if (!value.has_value()) return std::nullopt;
  if (!value->is(JsonKind::kObject)) {
    errors_->AddType(Path(name), "an object", *value);
    return std::nullopt;
  }
  return LaxFields(*value, Path(name), errors_);
}

std::optional<JsonValue> LaxFields::Array(std::string_view name) const {
  const auto value = Find(name);
  if (!value.has_value()) return std::nullopt;
  if (!value->is(JsonKind::kArray)) {
    errors_->AddType(Path(name), "a list", *value);
    return std::nullopt;
  }
  return value;
}

}  // namespace engram
