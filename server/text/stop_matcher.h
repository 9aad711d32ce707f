// SPDX-License-Identifier: Apache-2.0
// Finds stop strings in streamed text. The match that ends first wins, among those that end at the
// same character the longest; how the text is cut into pieces changes nothing. Only what could
// still become a match is held back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engram {

class StopMatcher {
 public:
  // REQUIRES: no string in `stops` is empty. With `include_stop` the match is part of the text.
  StopMatcher(std::vector<std::string> stops, bool include_stop);

  // The text that may be shown after `piece` (whole UTF-8 characters). Nothing more after a match.
  std::string Add(std::string_view piece);
  // The held tail, once it is known that no more text comes.
  std::string Flush();
  // The stop string that matched.
  const std::optional<std::string>& matched() const { return matched_; }

 private:
  const std::vector<std::string> stops_;
  const bool include_stop_;
  std::string held_;
  std::optional<std::string> matched_;
};

}  // namespace engram
