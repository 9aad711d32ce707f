// SPDX-License-Identifier: Apache-2.0
// Stop strings: however the text is cut, the outcome is the definition's, and deltas add up to it.
// An input is lines: the stops, an empty line, then pieces.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "server/text/stop_matcher.h"
#include "server/text/utf8.h"

namespace engram {
namespace {

struct Outcome {
  std::string text;
  std::optional<std::string> matched;
};

// The first end of any stop, there the longest.
Outcome ByDefinition(std::string_view text, const std::vector<std::string>& stops,
                     bool include_stop) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    const std::string_view so_far = text.substr(0, end);
    std::optional<std::string> longest;
    for (const std::string& stop : stops) {
      const bool is_longer = !longest || stop.size() > longest->size();
      if (so_far.ends_with(stop) && is_longer) longest = stop;
    }
    if (!longest) continue;
    const std::size_t shown = include_stop ? end : end - longest->size();
    return {std::string(text.substr(0, shown)), longest};
  }
  return {std::string(text), std::nullopt};
}

void Check(const std::vector<std::string>& stops, const std::vector<std::string>& pieces,
           bool include_stop) {
  StopMatcher matcher(stops, include_stop);
  std::string whole;
  std::string shown;
  for (const std::string& piece : pieces) {
    whole += piece;
    const std::string delta = matcher.Add(piece);
    CHECK(IsValidUtf8(delta));
    shown += delta;
  }
  shown += matcher.Flush();
  const Outcome expected = ByDefinition(whole, stops, include_stop);
  CHECK_EQ(shown, expected.text);
  CHECK(matcher.matched() == expected.matched);
}

}  // namespace
}  // namespace engram

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> stops;
  std::vector<std::string> pieces;
  bool in_stops = true;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : line.size());
    if (line.empty() && in_stops) {
      in_stops = false;
    } else {
      // The matcher's callers hand it text.
      (in_stops ? stops : pieces).push_back(engram::RepairedUtf8(line));
    }
  }
  for (const bool include_stop : {false, true}) engram::Check(stops, pieces, include_stop);
  return 0;
}
