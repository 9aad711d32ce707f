// SPDX-License-Identifier: Apache-2.0
// Writes JSON text, value by value, with the commas where they belong. Text that is not UTF-8 is
// mended with U+FFFD; numbers are the shortest that read back the same; what JSON has no number for
// is null.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace engram {

class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Begin('{'); }
  JsonWriter& EndObject() { return End('}'); }
  JsonWriter& BeginArray() { return Begin('['); }
  JsonWriter& EndArray() { return End(']'); }
  // In an object, before each value.
  JsonWriter& Key(std::string_view key);

  JsonWriter& String(std::string_view text);
  JsonWriter& Integer(std::int64_t value);
  JsonWriter& Number(double value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  JsonWriter& Integers(std::span<const std::int32_t> values);

  // Key and value.
  JsonWriter& StringField(std::string_view key, std::string_view text) {
    return Key(key).String(text);
  }
  JsonWriter& IntegerField(std::string_view key, std::int64_t value) {
    return Key(key).Integer(value);
  }
  JsonWriter& BoolField(std::string_view key, bool value) { return Key(key).Bool(value); }
  JsonWriter& NullField(std::string_view key) { return Key(key).Null(); }

  // The text so far; the writer is empty again.
  std::string Take() {
    after_value_ = false;
    return std::exchange(out_, {});
  }

 private:
  JsonWriter& Begin(char bracket);
  JsonWriter& End(char bracket);
  void Separate();

  std::string out_;
  bool after_value_ = false;  // the next value of this object or list needs a comma
};

}  // namespace engram
