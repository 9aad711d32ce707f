// SPDX-License-Identifier: Apache-2.0
// See stop_matcher.h.
#include "server/text/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace engram {
namespace {

std::vector<std::size_t> BordersOf(const std::string& text) {
  std::vector<std::size_t> borders(text.size(), 0);
  std::size_t border = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    while (border > 0 && text[i] != text[border]) border = borders[border - 1];
    if (text[i] == text[border]) ++border;
    borders[i] = border;
  }
  return borders;
}

}  // namespace

void StopMatcher::Candidate::Advance(char byte) {
  while (agrees > 0 && stop[agrees] != byte) agrees = borders[agrees - 1];
  if (stop[agrees] == byte) ++agrees;
}

StopMatcher::StopMatcher(std::vector<std::string> stops, bool include_stop)
    : include_stop_(include_stop) {
  for (std::string& stop : stops) {
    CHECK(!stop.empty());
    std::vector<std::size_t> borders = BordersOf(stop);
    candidates_.push_back({std::move(stop), std::move(borders)});
  }
}

const StopMatcher::Candidate* StopMatcher::Advance(char byte) {
  const Candidate* longest = nullptr;
  for (Candidate& candidate : candidates_) {
    candidate.Advance(byte);
    const bool is_longer = longest == nullptr || candidate.stop.size() > longest->stop.size();
    if (candidate.IsWhole() && is_longer) longest = &candidate;
  }
  return longest;
}

// The longest tail of the text that is a proper prefix of some stop.
std::size_t StopMatcher::HeldBytes() const {
  std::size_t bytes = 0;
  for (const Candidate& candidate : candidates_) bytes = std::max(bytes, candidate.agrees);
  return bytes;
}

std::string StopMatcher::Add(std::string_view piece) {
  if (matched_) return "";
  std::string text = std::exchange(held_, "");
  for (const char byte : piece) {
    text.push_back(byte);
    const Candidate* match = Advance(byte);
    if (match == nullptr) continue;
    if (!include_stop_) text.resize(text.size() - match->stop.size());
    matched_ = match->stop;
    return text;
  }
  if (!include_stop_) {
    const std::size_t shown = text.size() - HeldBytes();
    held_ = text.substr(shown);
    text.resize(shown);
  }
  return text;
}

std::string StopMatcher::Flush() { return std::exchange(held_, ""); }

}  // namespace engram
