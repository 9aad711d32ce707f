// SPDX-License-Identifier: Apache-2.0
// See token_map.h.
#include "engine/engram/token_map.h"

#include <string>
#include <unordered_map>

#include "engine/engram/token_normalizer.h"

namespace engram {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string KeyOf(const TokenNormalizer& normalizer, const TokenSource& token) {
  if (token.text.find(kReplacement) != std::string::npos) return token.vocabulary;
  std::string normalized = normalizer.Normalize(token.text);
  return normalized.empty() ? token.text : normalized;
}

}  // namespace

TokenMap BuildTokenMap(std::span<const TokenSource> tokens) {
  const TokenNormalizer normalizer;
  std::unordered_map<std::string, std::int32_t> classes;
  classes.reserve(tokens.size());
  std::vector<std::int32_t> raw_to_compressed;
  raw_to_compressed.reserve(tokens.size());
  for (const TokenSource& token : tokens) {
    const auto next = static_cast<std::int32_t>(classes.size());
    const auto [entry, is_new] = classes.try_emplace(KeyOf(normalizer, token), next);
    raw_to_compressed.push_back(entry->second);
  }
  return TokenMap(std::move(raw_to_compressed), static_cast<std::int32_t>(classes.size()));
}

std::string NormalizeTokenText(std::string_view text) { return TokenNormalizer().Normalize(text); }

std::string TokenKey(const TokenSource& token) { return KeyOf(TokenNormalizer(), token); }

}  // namespace engram
