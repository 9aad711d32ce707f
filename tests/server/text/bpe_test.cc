// SPDX-License-Identifier: Apache-2.0
// The heap against the definition (find the best pair, merge it, start over), on random
// vocabularies.
#include "server/text/bpe.h"

#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "gtest/gtest.h"
#include "server/text/byte_alphabet.h"

namespace engram {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

// All bytes, then what the merges make, in that order.
Vocabulary VocabularyFor(const Merges& merges) {
  std::vector<std::string> tokens;
  std::set<std::string> seen;
  const auto add = [&](const std::string& token) {
    if (seen.insert(token).second) tokens.push_back(token);
  };
  for (int byte = 0; byte < 256; ++byte) {
    add(SpellBytes(std::string(1, static_cast<char>(byte))));
  }
  for (const auto& [left, right] : merges) add(left + right);
  Vocabulary vocabulary(static_cast<std::int32_t>(tokens.size()) - 1);
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    EXPECT_TRUE(vocabulary.Add(tokens[id], static_cast<std::int32_t>(id)).ok());
  }
  return vocabulary;
}

std::vector<std::string> Encode(const Bpe& bpe, const Vocabulary& vocabulary,
                                std::string_view piece) {
  std::vector<std::int32_t> ids;
  bpe.Encode(piece, ids);
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) tokens.emplace_back(vocabulary.TokenString(id));
  return tokens;
}

// ASCII letters stand for themselves in the alphabet.
std::vector<std::string> EncodeByDefinition(const Merges& merges, const std::string& piece) {
  std::map<std::pair<std::string, std::string>, std::size_t> ranks;
  for (std::size_t i = 0; i < merges.size(); ++i) ranks[merges[i]] = i;
  std::vector<std::string> tokens;
  for (const char letter : piece) tokens.emplace_back(1, letter);
  while (true) {
    std::size_t best = std::numeric_limits<std::size_t>::max();
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto rank = ranks.find({tokens[i], tokens[i + 1]});
      if (rank == ranks.end() || rank->second >= best) continue;
      best = rank->second;
      at = i;
    }
    if (best == std::numeric_limits<std::size_t>::max()) return tokens;
    tokens[at] += tokens[at + 1];
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

// As a trainer makes them: each merge joins tokens that exist by then.
Merges RandomMerges(std::mt19937_64& random, std::size_t count) {
  std::vector<std::string> tokens = {"a", "b", "c"};
  std::set<std::string> seen(tokens.begin(), tokens.end());
  Merges merges;
  for (std::size_t tries = 0; merges.size() < count && tries < 10 * count; ++tries) {
    const std::string left = tokens[random() % tokens.size()];
    const std::string right = tokens[random() % tokens.size()];
    if (left.size() + right.size() > 12 || !seen.insert(left + right).second) continue;
    merges.emplace_back(left, right);
    tokens.push_back(left + right);
  }
  return merges;
}

TEST(BpeTest, MergesAsDefined) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    const Merges merges = RandomMerges(random, 1 + random() % 40);
    const Vocabulary vocabulary = VocabularyFor(merges);
    const auto bpe = Bpe::Create(vocabulary, {.merges = merges});
    ASSERT_TRUE(bpe.ok()) << Message(bpe.status());
    for (int i = 0; i < 20; ++i) {
      std::string piece;
      for (std::size_t length = random() % 60; piece.size() < length;) {
        piece.push_back(static_cast<char>('a' + random() % 3));
      }
      EXPECT_EQ(Encode(*bpe, vocabulary, piece), EncodeByDefinition(merges, piece)) << piece;
    }
  }
}

TEST(BpeTest, RunsMergeFromTheLeft) {
  const Merges merges = {{"a", "a"}, {"aa", "aa"}};
  const Vocabulary vocabulary = VocabularyFor(merges);
  const auto bpe = Bpe::Create(vocabulary, {.merges = merges});
  EXPECT_EQ(Encode(*bpe, vocabulary, "aaaaaaa"), (std::vector<std::string>{"aaaa", "aa", "a"}));
}

TEST(BpeTest, IgnoreMergesTakesWholePieces) {
  const Merges merges = {{"a", "b"}, {"b", "c"}, {"a", "bc"}};
  const Vocabulary vocabulary = VocabularyFor(merges);
  const auto by_merges = Bpe::Create(vocabulary, {.merges = merges});
  EXPECT_EQ(Encode(*by_merges, vocabulary, "abc"), (std::vector<std::string>{"ab", "c"}));
  const auto whole = Bpe::Create(vocabulary, {.merges = merges, .ignore_merges = true});
  EXPECT_EQ(Encode(*whole, vocabulary, "abc"), std::vector<std::string>{"abc"});
  const auto added =
      Bpe::Create(vocabulary, {.merges = merges, .ignore_merges = true, .added_tokens = {"abc"}});
  EXPECT_EQ(Encode(*added, vocabulary, "abc"), (std::vector<std::string>{"ab", "c"}));
}

TEST(BpeTest, MissingTokensAreErrors) {
  const Vocabulary vocabulary = VocabularyFor({{"a", "b"}});
  EXPECT_EQ(Message(Bpe::Create(vocabulary, {.merges = {{"a", "b"}, {"ab", "c"}}}).status()),
            "model.merges[1]: token 'abc' is not in model.vocab");
  EXPECT_EQ(Message(Bpe::Create(vocabulary, {.merges = {{"xy", "a"}}}).status()),
            "model.merges[0]: token 'xy' is not in model.vocab");
  Vocabulary empty(0);
  EXPECT_EQ(Message(Bpe::Create(empty, {}).status()),
            "model.vocab: no token 'Ā' for byte 0x00; a byte-level vocabulary has all bytes");
}

}  // namespace
}  // namespace engram
