// SPDX-License-Identifier: Apache-2.0
// See added_tokens.h. What counts as blank or as part of a word is asked of ICU: Hugging Face's \s
// and \w here are those of Rust's regex library, White_Space and UTS #18's word characters.
#include "server/text/added_tokens.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/text/utf8.h"

namespace engram {
namespace {

bool IsBlank(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; }

bool IsWord(char32_t character) {
  const auto c = static_cast<UChar32>(character);
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) ||
         (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

// REQUIRES: `text` is not empty.
Utf8Unit LastUtf8Unit(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return FirstUtf8Unit(text.substr(at));
}

bool StandsAlone(std::string_view text, TextRange range) {
  const std::string_view before = text.substr(0, range.begin);
  const std::string_view after = text.substr(range.end);
  return (before.empty() || !IsWord(LastUtf8Unit(before).code_point)) &&
         (after.empty() || !IsWord(FirstUtf8Unit(after).code_point));
}

std::size_t BlankBytesAtEnd(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const Utf8Unit last = LastUtf8Unit(rest);
    if (!IsBlank(last.code_point)) break;
    rest.remove_suffix(last.bytes);
  }
  return text.size() - rest.size();
}

std::size_t BlankBytesAtBegin(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const Utf8Unit first = FirstUtf8Unit(rest);
    if (!IsBlank(first.code_point)) break;
    rest.remove_prefix(first.bytes);
  }
  return text.size() - rest.size();
}

// What `literal` leaves of [0, size).
std::vector<TextRange> RangesBetween(std::span<const TextRange> literal, std::size_t size) {
  std::vector<TextRange> between;
  std::size_t done = 0;
  for (const TextRange& range : literal) {
    CHECK(done <= range.begin && range.begin <= range.end && range.end <= size);
    if (range.size() == 0) continue;
    if (done < range.begin) between.push_back({done, range.begin});
    done = range.end;
  }
  if (done < size) between.push_back({done, size});
  return between;
}

// The parts of `ranges` inside `window`, counted from its beginning.
std::vector<TextRange> Clip(std::span<const TextRange> ranges, TextRange window) {
  std::vector<TextRange> clipped;
  auto range = std::partition_point(ranges.begin(), ranges.end(),
                                    [&](const TextRange& r) { return r.end <= window.begin; });
  for (; range != ranges.end() && range->begin < window.end; ++range) {
    clipped.push_back({std::max(range->begin, window.begin) - window.begin,
                       std::min(range->end, window.end) - window.begin});
  }
  return clipped;
}

}  // namespace

void AddedTokens::Trie::Add(std::string_view content, std::size_t token) {
  std::uint64_t node = 0;
  for (const char byte : content) {
    const auto next = static_cast<std::uint32_t>(ends_.size());
    const auto [child, is_new] =
        children_.try_emplace(node << 8 | static_cast<unsigned char>(byte), next);
    if (is_new) ends_.emplace_back();
    node = child->second;
  }
  ends_[node] = token;
}

std::optional<std::size_t> AddedTokens::Trie::LongestPrefix(std::string_view text) const {
  std::optional<std::size_t> longest;
  std::uint64_t node = 0;
  for (const char byte : text) {
    const auto child = children_.find(node << 8 | static_cast<unsigned char>(byte));
    if (child == children_.end()) break;
    node = child->second;
    if (ends_[node]) longest = ends_[node];
  }
  return longest;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    CHECK(!tokens_[i].content.empty());
    (tokens_[i].normalized ? normalized_ : raw_).Add(tokens_[i].content, i);
  }
}

std::vector<TextSegment> AddedTokens::SplitOnce(std::string_view text,
                                                std::span<const TextRange> allowed,
                                                const Trie& trie) const {
  std::vector<TextSegment> segments;
  std::size_t done = 0;
  for (const TextRange& range : allowed) {
    const std::string_view searched = text.substr(0, range.end);
    std::size_t at = range.begin;
    while (at < range.end) {
      const std::optional<std::size_t> index = trie.LongestPrefix(searched.substr(at));
      if (!index) {
        ++at;
        continue;
      }
      const AddedToken& token = tokens_[*index];
      TextRange match = {at, at + token.content.size()};
      at = match.end;
      if (token.single_word && !StandsAlone(text, match)) continue;
      if (token.lstrip && match.begin > done) {
        match.begin -= BlankBytesAtEnd(text.substr(done, match.begin - done));
      }
      if (token.rstrip) match.end += BlankBytesAtBegin(text.substr(match.end));
      if (done < match.begin) segments.push_back({{done, match.begin}, std::nullopt});
      segments.push_back({match, token.id});
      done = match.end;
    }
  }
  if (done < text.size()) segments.push_back({{done, text.size()}, std::nullopt});
  return segments;
}

// The second pass sees each stretch that the first one left as a text of its own, as in Hugging
// Face: a token at its edge has no neighbour there.
std::vector<TextSegment> AddedTokens::Split(std::string_view text,
                                            std::span<const TextRange> literal) const {
  const std::vector<TextRange> allowed = RangesBetween(literal, text.size());
  std::vector<TextSegment> segments;
  for (const TextSegment& coarse : SplitOnce(text, allowed, raw_)) {
    if (coarse.added_id) {
      segments.push_back(coarse);
      continue;
    }
    const auto [begin, end] = coarse.range;
    const std::vector<TextRange> clipped = Clip(allowed, coarse.range);
    for (TextSegment fine : SplitOnce(text.substr(begin, end - begin), clipped, normalized_)) {
      fine.range.begin += begin;
      fine.range.end += begin;
      segments.push_back(fine);
    }
  }
  return segments;
}

}  // namespace engram
