// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_writer.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace engram {
namespace {

std::string Quoted(std::string_view text) { return JsonWriter().String(text).Take(); }

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
  JsonWriter json;
  json.BeginObject();
  json.StringField("a", "x").IntegerField("b", -1).BoolField("c", true).NullField("d");
  json.Key("e")
      .BeginArray()
      .Integer(1)
      .BeginObject()
      .EndObject()
      .BeginArray()
      .EndArray()
      .EndArray();
  json.Key("f").BeginObject().Key("g").Number(0.5).EndObject();
  json.Key("h").Integers(std::vector<std::int32_t>{1, 2});
  json.EndObject();
  EXPECT_EQ(json.Take(),
            R"({"a":"x","b":-1,"c":true,"d":null,"e":[1,{},[]],"f":{"g":0.5},"h":[1,2]})");
  EXPECT_EQ(json.BeginArray().EndArray().Take(), "[]");  // empty again
}

TEST(JsonWriter, EscapesAndMendsText) {
  EXPECT_EQ(Quoted("a\"b\\c\n\t\r\b\f\x01/"), R"("a\"b\\c\n\t\r\b\f\u0001/")");
  EXPECT_EQ(Quoted(std::string_view("a\0b", 3)), R"("a\u0000b")");
  EXPECT_EQ(Quoted("grüße 你好 🙂"), "\"grüße 你好 🙂\"");
  const std::string mended = "\xef\xbf\xbd";
  EXPECT_EQ(Quoted("\xff"), '"' + mended + '"');
  EXPECT_EQ(Quoted("a\xe4\xbd"), "\"a" + mended + mended + '"');            // cut short
  EXPECT_EQ(Quoted("\xc0\x80"), '"' + mended + mended + '"');               // overlong
  EXPECT_EQ(Quoted("\xed\xa0\x80"), '"' + mended + mended + mended + '"');  // a surrogate
  EXPECT_EQ(Quoted("\xf4\x90\x80\x80x"),                                    // beyond Unicode
            '"' + mended + mended + mended + mended + "x\"");
}

TEST(JsonWriter, WhateverItWritesParses) {
  for (int lead = 0; lead < 256; ++lead) {
    for (int next = 0; next < 256; next += 7) {
      const std::string text = {static_cast<char>(lead), static_cast<char>(next), 'x'};
      EXPECT_FALSE(nlohmann::json::parse(Quoted(text), nullptr, false).is_discarded()) << lead;
    }
  }
}

TEST(JsonWriter, NumbersReadBackTheSame) {
  for (const double value : {0.0, -1.5, 0.1, 1e-7, 1e300, static_cast<double>(-13.890639305114746f),
                             std::numeric_limits<double>::denorm_min()}) {
    EXPECT_EQ(nlohmann::json::parse(JsonWriter().Number(value).Take()).get<double>(), value);
  }
  EXPECT_EQ(JsonWriter().Number(NAN).Take(), "null");
  EXPECT_EQ(JsonWriter().Number(-INFINITY).Take(), "null");
}

}  // namespace
}  // namespace engram
