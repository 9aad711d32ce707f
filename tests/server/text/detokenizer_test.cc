// SPDX-License-Identifier: Apache-2.0
// The stream of deltas against Hugging Face's, and against the decode of everything at once.
#include "server/text/detokenizer.h"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/strings.h"
#include "gtest/gtest.h"
#include "server/text/utf8.h"
#include "tests/server/text/vectors.h"

namespace engram {
namespace {

using testing_support::Ids;

std::unique_ptr<Tokenizer> Load(const std::string& directory) {
  auto tokenizer = Tokenizer::Load(directory);
  EXPECT_TRUE(tokenizer.ok()) << Message(tokenizer.status());
  return *std::move(tokenizer);
}

TEST(DetokenizerTest, StreamsAsHuggingFace) {
  const auto tokenizer = Load("tests/testdata/tokenizer_deepseek_v3");
  for (const auto& vector : testing_support::TextVectors("detokenizer_stream.jsonl", 83)) {
    Detokenizer detokenizer(tokenizer.get(), vector["skip_special_tokens"].get<bool>());
    std::vector<std::string> deltas;
    for (const std::int32_t id : vector["ids"].get<Ids>()) deltas.push_back(detokenizer.Add(id));
    EXPECT_EQ(deltas, vector["deltas"].get<std::vector<std::string>>()) << vector["name"];
    EXPECT_EQ(detokenizer.Flush(), vector["flush"].get<std::string>()) << vector["name"];
  }
}

// Random ids are mostly broken UTF-8: the tiny vocabulary has 336 tokens that are no whole
// characters.
TEST(DetokenizerTest, DeltasTogetherAreTheDecode) {
  const auto tokenizer = Load("tests/testdata/tokenizer_tiny");
  std::mt19937_64 random(7);
  for (int round = 0; round < 3000; ++round) {
    Ids ids;
    for (std::size_t length = random() % 24; ids.size() < length;) {
      const bool is_byte = random() % 2 == 0;
      ids.push_back(static_cast<std::int32_t>(random() % (is_byte ? 270 : 2060)) - 2);
    }
    for (const bool skip : {false, true}) {
      Detokenizer detokenizer(tokenizer.get(), skip);
      std::string text;
      for (const std::int32_t id : ids) {
        const std::string delta = detokenizer.Add(id);
        EXPECT_TRUE(IsValidUtf8(delta));
        text += delta;
      }
      text += detokenizer.Flush();
      EXPECT_EQ(text, tokenizer->Decode(ids, skip)) << testing::PrintToString(ids);
    }
  }
}

TEST(DetokenizerTest, FlushStartsOver) {
  const auto tokenizer = Load("tests/testdata/tokenizer_tiny");
  const auto ids = tokenizer->Encode("😀", SpecialTokens::kParse);
  ASSERT_GT(ids->size(), 1u);
  Detokenizer detokenizer(tokenizer.get(), true);
  EXPECT_EQ(detokenizer.Add(ids->front()), "");
  EXPECT_EQ(detokenizer.Flush(), "\uFFFD");
  EXPECT_EQ(detokenizer.Flush(), "");
}

}  // namespace
}  // namespace engram
