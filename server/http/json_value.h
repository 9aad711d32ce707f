// SPDX-License-Identifier: Apache-2.0
// A parsed JSON document, read only. The one place of the HTTP room that sees the JSON library; the
// rest reads values through this. What a body may be is decided here: UTF-8 (a byte order mark is
// skipped), at most limits::kJsonDepthMax deep, no NaN, of equal keys the last counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace engram {

enum class JsonKind { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };

// A value of a JsonDocument, which must outlive it. Cheap to copy.
class JsonValue {
 public:
  explicit JsonValue(const void* node) : node_(node) {}

  JsonKind kind() const;
  bool is(JsonKind kind) const { return this->kind() == kind; }

  // REQUIRES for each: the kind that it says.
  bool Bool() const;
  std::int64_t Integer() const;  // clamped to int64
  bool FitsInt64() const;        // of an integer: Integer() is what was written
  double Number() const;         // also of an integer
  std::string_view String() const;
  std::size_t size() const;  // of an array or object
  JsonValue At(std::size_t index) const;
  std::vector<std::pair<std::string_view, JsonValue>> Members() const;  // keys ascending

  // The member of an object, also if it is null. REQUIRES: an object.
  std::optional<JsonValue> Find(std::string_view key) const;

  // For error messages: "a string ("abc")", "a list", "null". Never longer than a line.
  std::string Describe() const;

 private:
  const void* node_;  // the library's value
};

class JsonDocument {
 public:
  // InvalidArgument, code "invalid_json", field "body.<byte>" where the text goes wrong.
  static absl::StatusOr<JsonDocument> Parse(std::string_view text);
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonValue root() const;

 private:
  struct Impl;
  explicit JsonDocument(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace engram
