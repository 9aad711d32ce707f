// SPDX-License-Identifier: Apache-2.0
// Patterns come out as measured to be exact, or not at all.
#include "server/text/regex_dialect.h"

#include <nlohmann/json.hpp>
#include <string>

#include "base/strings.h"
#include "gtest/gtest.h"
#include "tests/testing/test_files.h"

namespace engram {
namespace {

TEST(RegexDialectTest, DeepSeeksPatternsBecomeTheExactOnes) {
  const auto measured = nlohmann::json::parse(
      testing_support::ReadFile("tests/testdata/text/pretokenizer_class_additions.json"));
  const auto& raw = measured["raw_patterns"];
  ASSERT_EQ(raw.size(), 3u);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto translated = Pcre2Pattern(raw[i].get<std::string>());
    ASSERT_TRUE(translated.ok()) << Message(translated.status());
    auto exact = measured["pcre2_10_42_exact_patterns"][i].get<std::string>();
    // There, this range of two is written as two characters.
    const std::string two = "\\x{2028}\\x{2029}";
    for (std::size_t at = 0; (at = exact.find(two, at)) != std::string::npos; ++at) {
      exact.replace(at, two.size(), "\\x{2028}-\\x{2029}");
    }
    EXPECT_EQ(*translated, exact);
  }
}

TEST(RegexDialectTest, CopiesWhatMeansTheSame) {
  for (const std::string pattern :
       {"abc|d?e*f+", "(?:a|b){1,3}", "(?i:'s|'t)", "a(?=b)(?!c)(?<=d)(?<!e)(?>f)", "[a-z_^-]+",
        "\\[\\]\\^\\$\\.\\\\", "\\x{4E00}", "[\\x{0}-\\x{FF}]", "x++y?+", "\\r\\n\\t", "一|é",
        "[^-a]", "a{2}", "(b)", "."}) {
    const auto translated = Pcre2Pattern(pattern);
    ASSERT_TRUE(translated.ok()) << Message(translated.status());
    EXPECT_EQ(*translated, pattern);
  }
}

TEST(RegexDialectTest, WritesClassesOut) {
  EXPECT_TRUE(Pcre2Pattern("\\s")->starts_with("[\\x{9}-\\x{D}\\x{20}"));
  EXPECT_TRUE(Pcre2Pattern("\\S")->starts_with("[^\\x{9}-\\x{D}\\x{20}"));
  EXPECT_TRUE(Pcre2Pattern("[\\s]")->starts_with("[\\x{9}-\\x{D}\\x{20}"));
  EXPECT_TRUE(Pcre2Pattern("\\p{L}+")->starts_with("[\\p{L}\\x{1C89}-\\x{1C8A}"));
  EXPECT_TRUE(Pcre2Pattern("\\p{L}+")->ends_with("]+"));
  EXPECT_TRUE(Pcre2Pattern("\\P{N}")->starts_with("[^\\p{N}\\x{10D40}"));
  EXPECT_TRUE(Pcre2Pattern("[-\\s]")->starts_with("[-\\x{9}"));
  EXPECT_TRUE(Pcre2Pattern("[\\s-]")->ends_with("\\x{3000}-]"));
}

TEST(RegexDialectTest, RefusesWhatMayMeanSomethingElse) {
  for (const std::string pattern :
       {"\\w",     "\\d",      "\\b",     "\\h",     "\\R",   "\\X",      "\\G",         "\\1",
        "\\p{Lu}", "\\p{Han}", "\\p{^L}", "\\pL",    "[\\S]", "[\\P{L}]", "[[:alpha:]]", "[a[bc]]",
        "[a&&b]",  "[]a]",     "^a",      "a$",      "(?i)a", "(?<n>a)",  "(?#c)",       "(*SKIP)",
        "a{1,2}+", "a{,2}",    "[\\s-x]", "[+-\\s]", "\\xFF", "\\u4e00"}) {
    const auto translated = Pcre2Pattern(pattern);
    EXPECT_EQ(translated.status().code(), absl::StatusCode::kUnimplemented) << pattern;
  }
  EXPECT_EQ(Pcre2Pattern("[a").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Pcre2Pattern("a\\").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(Pcre2Pattern("x\\wy").status()),
            "'\\w' is not supported: it may match other characters than in Hugging Face "
            "tokenizers");
}

}  // namespace
}  // namespace engram
