// SPDX-License-Identifier: Apache-2.0
// Stop strings against the vectors, against their definition, and on text that would make a naive
// matcher quadratic.
#include "server/text/stop_matcher.h"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/server/text/vectors.h"

namespace engram {
namespace {

struct Outcome {
  std::string text;
  std::optional<std::string> matched;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << '"' << outcome.text << "\" matched " << outcome.matched.value_or("nothing");
}

// Rules 1 to 3 of the vectors' README, word for word.
Outcome ByDefinition(const std::string& text, const std::vector<std::string>& stops,
                     bool include_stop) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    const std::string so_far = text.substr(0, end);
    std::optional<std::string> longest;
    for (const std::string& stop : stops) {
      const bool is_longer = !longest || stop.size() > longest->size();
      if (so_far.ends_with(stop) && is_longer) longest = stop;
    }
    if (!longest) continue;
    const std::size_t shown = include_stop ? end : end - longest->size();
    return {text.substr(0, shown), longest};
  }
  return {text, std::nullopt};
}

TEST(StopMatcherTest, AgreesWithTheVectors) {
  for (const auto& vector : testing_support::TextVectors("stop_strings.jsonl", 122)) {
    const auto pieces = vector["pieces"].get<std::vector<std::string>>();
    StopMatcher matcher(vector["stop"].get<std::vector<std::string>>(),
                        vector["include_stop"].get<bool>());
    std::vector<std::string> deltas;
    std::string text;
    for (const std::string& piece : pieces) {
      if (matcher.matched()) break;
      deltas.push_back(matcher.Add(piece));
      text += deltas.back();
    }
    EXPECT_EQ(deltas, vector["deltas"].get<std::vector<std::string>>()) << vector;
    const std::string flush = matcher.Flush();
    EXPECT_EQ(flush, vector["flush"].get<std::string>()) << vector;
    EXPECT_EQ(text + flush, vector["text"].get<std::string>()) << vector;
    EXPECT_EQ(deltas.size(), vector["pieces_consumed"].get<std::size_t>()) << vector;
    EXPECT_EQ(matcher.matched().has_value(), !vector["matched"].is_null()) << vector;
    if (matcher.matched()) {
      EXPECT_EQ(*matcher.matched(), vector["matched"].get<std::string>());
    }
  }
}

class RandomStops {
 public:
  std::string Word(std::size_t length_max) {
    static constexpr const char* kCharacters[] = {"a", "b", "é", "è"};  // é and è share a byte
    std::string word;
    for (std::size_t i = 1 + random_() % length_max; i > 0; --i) word += kCharacters[random_() % 4];
    return word;
  }
  std::vector<std::string> Words(std::size_t count, std::size_t length_max) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < count; ++i) words.push_back(Word(length_max));
    return words;
  }
  std::size_t Below(std::size_t n) { return random_() % n; }

 private:
  std::mt19937_64 random_{11};
};

std::string Join(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

TEST(StopMatcherTest, HowTextIsCutChangesNothing) {
  RandomStops random;
  for (int round = 0; round < 4000; ++round) {
    const std::vector<std::string> stops = random.Words(random.Below(4), 5);
    const std::vector<std::string> pieces = random.Words(random.Below(12), 4);
    for (const bool include_stop : {false, true}) {
      StopMatcher matcher(stops, include_stop);
      std::string text;
      for (const std::string& piece : pieces) text += matcher.Add(piece);
      text += matcher.Flush();
      EXPECT_EQ((Outcome{text, matcher.matched()}), ByDefinition(Join(pieces), stops, include_stop))
          << testing::PrintToString(stops);
    }
  }
}

TEST(StopMatcherTest, TheOrderOfStopsChangesNothing) {
  RandomStops random;
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> stops = random.Words(3, 4);
    const std::string text = random.Word(16);
    StopMatcher forward(stops, false);
    std::reverse(stops.begin(), stops.end());
    StopMatcher backward(stops, false);
    EXPECT_EQ(forward.Add(text), backward.Add(text));
    EXPECT_EQ(forward.matched(), backward.matched());
  }
}

// Rule 4: what is held is the longest tail that a stop properly begins with, never more.
TEST(StopMatcherTest, HoldsBackNoMoreThanCouldMatch) {
  RandomStops random;
  for (int round = 0; round < 2000; ++round) {
    const std::vector<std::string> stops = random.Words(2, 5);
    StopMatcher matcher(stops, false);
    std::string text;
    std::string shown;
    for (const std::string& piece : random.Words(6, 3)) {
      text += piece;
      shown += matcher.Add(piece);
      if (matcher.matched()) break;
      std::size_t held = 0;
      for (const std::string& stop : stops) {
        for (std::size_t bytes = 1; bytes < stop.size(); ++bytes) {
          if (text.ends_with(stop.substr(0, bytes))) held = std::max(held, bytes);
        }
      }
      EXPECT_EQ(shown, text.substr(0, text.size() - held)) << testing::PrintToString(stops);
    }
  }
}

// A million characters that always nearly match a stop of a thousand.
TEST(StopMatcherTest, LongHeldTextIsNotQuadratic) {
  const std::string almost = std::string(1023, 'a') + "b";
  StopMatcher matcher({almost, std::string(500, 'a') + "c"}, false);
  std::size_t shown = 0;
  for (int i = 0; i < 1'000'000; ++i) shown += matcher.Add("a").size();
  EXPECT_EQ(shown, 1'000'000u - 1023u);
  EXPECT_EQ(matcher.Flush().size(), 1023u);
}

TEST(StopMatcherTest, NothingComesAfterAMatch) {
  StopMatcher matcher({"x"}, false);
  EXPECT_EQ(matcher.Add("axb"), "a");
  EXPECT_EQ(matcher.Add("cd"), "");
  EXPECT_EQ(matcher.Flush(), "");
}

TEST(StopMatcherDeathTest, EmptyStopsAreTheCallersMistake) {
  EXPECT_DEATH(StopMatcher({""}, false), "empty");
}

}  // namespace
}  // namespace engram
