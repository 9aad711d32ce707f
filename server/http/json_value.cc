// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_value.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/field_error.h"
#include "config/limits.h"

namespace engram {
namespace {

using nlohmann::json;

constexpr std::size_t kShownBytesMax = 40;

const json& Node(const void* node) { return *static_cast<const json*>(node); }

absl::Status Invalid(std::size_t byte, const std::string& message) {
  return WithErrorCode(
      InvalidField("body." + std::to_string(byte), "the body is not valid JSON: " + message +
                                                       " (byte " + std::to_string(byte) + ")"),
      "invalid_json");
}

// Where `text` first nests deeper than allowed. Brackets in strings do not count; in text that is
// no JSON the answer does not matter, as the parser refuses it.
std::optional<std::size_t> TooDeepAt(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limits::kJsonDepthMax) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::nullopt;
}

// JSON begins with two ASCII characters, so a zero byte among the first two, or a UTF-16 mark, is
// another encoding.
bool IsUtf16Or32(std::string_view text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return true;
  return text.substr(0, 2).find('\0') != std::string_view::npos;
}

// The library's own words without its name and the position, which Invalid adds.
std::string Words(const json::exception& error) {
  std::string words = error.what();
  if (const auto bracket = words.find("] "); bracket != std::string::npos)
    words.erase(0, bracket + 2);
  if (words.starts_with("parse error")) {
    if (const auto colon = words.find(": "); colon != std::string::npos) words.erase(0, colon + 2);
  }
  return words;
}

}  // namespace

struct JsonDocument::Impl {
  json root;
};

JsonKind JsonValue::kind() const {
  switch (Node(node_).type()) {
    case json::value_t::boolean:
      return JsonKind::kBool;
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return JsonKind::kInteger;
    case json::value_t::number_float:
      return JsonKind::kNumber;
    case json::value_t::string:
      return JsonKind::kString;
    case json::value_t::array:
      return JsonKind::kArray;
    case json::value_t::object:
      return JsonKind::kObject;
    default:
      return JsonKind::kNull;
  }
}

bool JsonValue::Bool() const {
  CHECK(is(JsonKind::kBool));
  return Node(node_).get<bool>();
}

std::int64_t JsonValue::Integer() const {
  CHECK(is(JsonKind::kInteger));
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  if (Node(node_).is_number_unsigned()) {
    return static_cast<std::int64_t>(
        std::min(Node(node_).get<std::uint64_t>(), static_cast<std::uint64_t>(kMax)));
  }
  return Node(node_).get<std::int64_t>();
}

bool JsonValue::FitsInt64() const {
  CHECK(is(JsonKind::kInteger));
  return !Node(node_).is_number_unsigned() ||
         Node(node_).get<std::uint64_t>() <=
             static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

double JsonValue::Number() const {
  CHECK(is(JsonKind::kInteger) || is(JsonKind::kNumber));
  return Node(node_).get<double>();
}

std::string_view JsonValue::String() const {
  CHECK(is(JsonKind::kString));
  return Node(node_).get_ref<const std::string&>();
}

std::size_t JsonValue::size() const { return Node(node_).size(); }

JsonValue JsonValue::At(std::size_t index) const {
  CHECK(is(JsonKind::kArray));
  CHECK_LT(index, size());
  return JsonValue(&Node(node_)[index]);
}

std::vector<std::pair<std::string_view, JsonValue>> JsonValue::Members() const {
  CHECK(is(JsonKind::kObject));
  std::vector<std::pair<std::string_view, JsonValue>> members;
  for (const auto& [key, value] : Node(node_).get_ref<const json::object_t&>()) {
    members.emplace_back(key, JsonValue(&value));
  }
  return members;
}

std::optional<JsonValue> JsonValue::Find(std::string_view key) const {
  CHECK(is(JsonKind::kObject));
  const auto& members = Node(node_).get_ref<const json::object_t&>();
  const auto found = members.find(std::string(key));
  if (found == members.end()) return std::nullopt;
  return JsonValue(&found->second);
}

std::string JsonValue::Describe() const {
  const auto scalar = [this](const std::string& kind) {
    std::string shown = Node(node_).dump(-1, ' ', false, json::error_handler_t::replace);
    if (shown.size() > kShownBytesMax) return kind;
    return kind + " (" + shown + ")";
  };
  switch (kind()) {
    case JsonKind::kNull:
      return "null";
    case JsonKind::kBool:
      return scalar("a boolean");
    case JsonKind::kInteger:
      return scalar("an integer");
    case JsonKind::kNumber:
      return scalar("a number");
    case JsonKind::kString:
      return scalar("a string");
    case JsonKind::kArray:
      return "a list of " + std::to_string(size());
    case JsonKind::kObject:
      return "an object";
  }
  return "";
}

absl::StatusOr<JsonDocument> JsonDocument::Parse(std::string_view text) {
  if (IsUtf16Or32(text)) return Invalid(0, "it must be encoded in UTF-8");
  if (const auto deep = TooDeepAt(text)) {
    return Invalid(*deep,
                   "it nests deeper than " + std::to_string(limits::kJsonDepthMax) + " levels");
  }
  auto impl = std::make_unique<Impl>();
  try {
    impl->root = json::parse(text.begin(), text.end());
  } catch (const json::parse_error& error) {
    return Invalid(error.byte > 0 ? error.byte - 1 : 0, Words(error));
  } catch (const json::exception& error) {  // a number that no double can hold, nobody knows where
    return WithErrorCode(InvalidField("body", "the body is not valid JSON: " + Words(error)),
                         "invalid_json");
  }
  return JsonDocument(std::move(impl));
}

JsonValue JsonDocument::root() const { return JsonValue(&impl_->root); }

JsonDocument::JsonDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

}  // namespace engram
