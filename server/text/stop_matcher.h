// SPDX-License-Identifier: Apache-2.0
// Finds stop strings in streamed text. The match that ends first wins, among those that end at the
// same character the longest; how the text is cut into pieces changes nothing. Only what could
// still become a match is held back.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engram {

// Time per piece is its length times the number of stops, however much is held. Compares bytes: in
// UTF-8 a character never begins inside another, so that is comparing characters.
class StopMatcher {
 public:
  // `stops` are valid UTF-8. With `include_stop` the match is part of the text. REQUIRES: no string
  // in `stops` is empty.
  StopMatcher(std::vector<std::string> stops, bool include_stop);

  // The text that may be shown after `piece` (whole UTF-8 characters). Nothing more after a match.
  std::string Add(std::string_view piece);
  // The held tail, once it is known that no more text comes.
  std::string Flush();
  // The stop string that matched.
  const std::optional<std::string>& matched() const { return matched_; }

 private:
  // A stop string and how far the text's end agrees with its beginning (Knuth, Morris, Pratt).
  struct Candidate {
    std::string stop;
    // [stop.size()] For each prefix, its longest proper suffix that is a prefix too: how much still
    // agrees when the next byte does not.
    std::vector<std::size_t> borders;
    std::size_t agrees = 0;  // bytes, the most that the text's end has in common

    void Advance(char byte);
    bool IsWhole() const { return agrees == stop.size(); }
  };

  // After one more byte: the longest stop that ends there.
  const Candidate* Advance(char byte);
  std::size_t HeldBytes() const;

  std::vector<Candidate> candidates_;
  const bool include_stop_;
  std::string held_;  // what of the text was not shown yet
  std::optional<std::string> matched_;
};

}  // namespace engram
