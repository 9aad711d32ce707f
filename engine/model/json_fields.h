// SPDX-License-Identifier: Apache-2.0
// Reads the keys of a small JSON file as checked numbers. Every getter says what is allowed; the
// first that meets something else keeps the error and the rest go on, so that the code that reads a
// config looks like a table and asks status() once at the end.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram {

struct IntRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

struct NumberRange {
  double min = 0;
  double max = 0;
  bool above_min = false;  // min itself is not allowed
};

// A JSON object. `Names` are spellings of one key, the preferred one first; two of them with
// different values are an error. null is as good as absent.
class JsonFields {
 public:
  using Names = std::initializer_list<std::string_view>;

  // `file` is the name for messages. InvalidArgument if `text` is no JSON object, names a key twice
  // or nests deeper than limits::kJsonDepthMax.
  static absl::StatusOr<JsonFields> Parse(std::string_view file, std::string_view text);

  // The first error of this object and of all that came from it by Object.
  absl::Status status() const;
  // Keeps an error of the caller's own about `key`, if there is none yet.
  void Fail(std::string_view key, std::string_view message);

  bool Has(Names names);
  // The required ones. After an error they return the least that is allowed.
  std::int64_t Int(Names names, IntRange range);
  double Number(Names names, NumberRange range);
  std::string String(Names names);
  std::vector<std::int64_t> IntList(Names names, IntRange each, std::size_t count_max);
  // As above, or nothing if the key is absent.
  std::optional<std::int64_t> OptionalInt(Names names, IntRange range);
  std::optional<double> OptionalNumber(Names names, NumberRange range);
  std::optional<bool> OptionalBool(Names names);
  std::optional<std::string> OptionalString(Names names);
  // A list of integers, or one integer as a list of one.
  std::vector<std::int64_t> IntOrList(Names names, IntRange each, std::size_t count_max);
  // The object at `name`, which must be there; messages call its keys "name.key".
  JsonFields Object(std::string_view name);

 private:
  struct Impl;
  explicit JsonFields(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<Impl> impl_;  // owners: copies of this object
};

}  // namespace engram
