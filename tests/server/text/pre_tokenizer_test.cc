// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V3's three splits against Hugging Face's pieces, and inputs that regex engines choke on.
#include "server/text/pre_tokenizer.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/strings.h"
#include "gtest/gtest.h"
#include "tests/server/text/vectors.h"

namespace engram {
namespace {

std::vector<SplitPattern> DeepSeeksSplits() {
  const auto measured = nlohmann::json::parse(
      testing_support::ReadFile("tests/testdata/text/pretokenizer_class_additions.json"));
  std::vector<SplitPattern> splits;
  for (const auto& pattern : measured["raw_patterns"]) {
    splits.push_back({pattern.get<std::string>(), false, "split"});
  }
  return splits;
}

PreTokenizer Create(const std::vector<SplitPattern>& splits) {
  auto created = PreTokenizer::Create(splits);
  EXPECT_TRUE(created.ok()) << Message(created.status());
  return *std::move(created);
}

std::vector<std::string> Pieces(const PreTokenizer& pre_tokenizer, const std::string& text) {
  const auto pieces = pre_tokenizer.Split(text);
  EXPECT_TRUE(pieces.ok()) << Message(pieces.status());
  return std::vector<std::string>(pieces->begin(), pieces->end());
}

TEST(PreTokenizerTest, SplitsAsHuggingFace) {
  const PreTokenizer pre_tokenizer = Create(DeepSeeksSplits());
  for (const auto& vector : testing_support::TextVectors("pretokenizer_vectors.jsonl", 298)) {
    EXPECT_EQ(Pieces(pre_tokenizer, vector["text"].get<std::string>()),
              vector["pieces"].get<std::vector<std::string>>())
        << vector;
  }
}

// A Split's look-ahead ends where its piece ends: "\s+(?!\S)" takes both blanks before the digit.
TEST(PreTokenizerTest, EachSplitSeesPiecesAsTexts) {
  const PreTokenizer pre_tokenizer = Create(DeepSeeksSplits());
  EXPECT_EQ(Pieces(pre_tokenizer, "a  1"), (std::vector<std::string>{"a", "  ", "1"}));
  EXPECT_EQ(Pieces(pre_tokenizer, "a  b"), (std::vector<std::string>{"a", " ", " b"}));
}

TEST(PreTokenizerTest, WithoutSplitsTheTextIsOnePiece) {
  const PreTokenizer pre_tokenizer = Create({});
  EXPECT_EQ(Pieces(pre_tokenizer, "a b"), std::vector<std::string>{"a b"});
  EXPECT_EQ(Pieces(pre_tokenizer, ""), std::vector<std::string>{});
}

TEST(PreTokenizerTest, LiteralsSplitToo) {
  const PreTokenizer pre_tokenizer = Create({{".+", true, "split"}});
  EXPECT_EQ(Pieces(pre_tokenizer, "a.+.+b"), (std::vector<std::string>{"a", ".+", ".+", "b"}));
}

// PCRE2's default match limit ends a run of ten million blanks with an error, ICU's one million.
TEST(PreTokenizerTest, ElevenMillionBlanksAreNoError) {
  const PreTokenizer pre_tokenizer = Create(DeepSeeksSplits());
  const std::string text = std::string(11'000'000, ' ') + "x";
  const auto pieces = pre_tokenizer.Split(text);
  ASSERT_TRUE(pieces.ok()) << Message(pieces.status());
  ASSERT_EQ(pieces->size(), 2u);
  EXPECT_EQ(pieces->front().size(), 10'999'999u);
  EXPECT_EQ(pieces->back(), " x");
}

TEST(PreTokenizerTest, AnErrorNamesTheKey) {
  const auto unsupported = PreTokenizer::Create(std::vector<SplitPattern>{{"\\w", false, "here"}});
  EXPECT_TRUE(Message(unsupported.status()).starts_with("here: '\\w': "));
  const auto wrong = PreTokenizer::Create(std::vector<SplitPattern>{{"(a", false, "here"}});
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Message(wrong.status()).starts_with("here: '(a': not a regular expression"));
}

}  // namespace
}  // namespace engram
