// SPDX-License-Identifier: Apache-2.0
// The typed fields of a JSON object that a client sent. Types are as lax as vLLM's, so that its
// clients work unchanged: "1", 2.0 and true are integers, "yes" and 1 are booleans, 1.5 and "abc"
// are not integers. Every ill-typed field is remembered, and all are reported in one error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/http/json_value.h"

namespace engram {

std::optional<bool> LaxBool(JsonValue value);
std::optional<std::int64_t> LaxInteger(JsonValue value);  // clamped to int64
std::optional<double> LaxNumber(JsonValue value);         // always finite
// As Python's int(): "12", " +12 ", "-1"; whether it fits is for the caller to see.
std::optional<std::int64_t> IntegerFromText(std::string_view text);

// Ill-typed fields, in the order in which they were looked at.
class FieldErrors {
 public:
  void Add(std::string path, std::string message) {
    errors_.emplace_back(std::move(path), std::move(message));
  }
  // Like Add, with the words "must be … , got …".
  void AddType(std::string path, std::string_view expected, JsonValue got);
  bool empty() const { return errors_.empty(); }
  // OK, or InvalidArgument of code "invalid_type" about the first field, naming all.
  absl::Status ToStatus() const;

 private:
  std::vector<std::pair<std::string, std::string>> errors_;
};

enum class Null { kAbsent, kError };  // what a field that is null counts as

// Reads fields of one object. An absent field, and an ill-typed one, is nothing.
class LaxFields {
 public:
  // `path` is how errors call the object ("body"). REQUIRES: an object.
  LaxFields(JsonValue object, std::string path, FieldErrors* errors)
      : object_(object), path_(std::move(path)), errors_(errors) {}

  std::optional<bool> Bool(std::string_view name, Null null = Null::kAbsent) const;
  std::optional<std::int64_t> Integer(std::string_view name, Null null = Null::kAbsent) const;
  // As Integer, clamped to int.
  std::optional<int> Int(std::string_view name, Null null = Null::kAbsent) const;
  std::optional<double> Number(std::string_view name, Null null = Null::kAbsent) const;
  std::optional<std::string> String(std::string_view name, Null null = Null::kAbsent) const;
  // Clamped to int32: what no token id can be stays out of every vocabulary.
  std::optional<std::vector<std::int32_t>> TokenIds(std::string_view name) const;
  std::optional<LaxFields> Object(std::string_view name) const;
  std::optional<JsonValue> Array(std::string_view name) const;

  // The field, unless it is absent or null.
  std::optional<JsonValue> Find(std::string_view name) const;
  std::string Path(std::string_view name) const { return path_ + '.' + std::string(name); }
  JsonValue object() const { return object_; }
  FieldErrors* errors() const { return errors_; }

 private:
  // The field if it is there; says so if it is null and must not be.
  std::optional<JsonValue> Get(std::string_view name, Null null, std::string_view expected) const;

  JsonValue object_;
  std::string path_;
  FieldErrors* errors_;
};

}  // namespace engram
