// SPDX-License-Identifier: Apache-2.0
// Encode and Decode against Hugging Face's vectors, on DeepSeek-V3's tokenizer and the tiny one.
#include "server/text/tokenizer.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "tests/server/text/vectors.h"

namespace engram {
namespace {

using testing_support::Ids;
using testing_support::TextVectors;

std::unique_ptr<Tokenizer> LoadOrDie(const std::string& directory) {
  auto tokenizer = Tokenizer::Load(directory);
  EXPECT_TRUE(tokenizer.ok()) << Message(tokenizer.status());
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

// Loading 7.8 MB takes half a second: once for all tests.
class DeepSeekV3 : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    tokenizer_ = LoadOrDie("tests/testdata/tokenizer_deepseek_v3").release();
  }
  static void TearDownTestSuite() { delete tokenizer_; }

  static const Tokenizer* tokenizer_;
};
const Tokenizer* DeepSeekV3::tokenizer_ = nullptr;

TEST_F(DeepSeekV3, EncodesAsHuggingFace) {
  for (const auto& vector : TextVectors("tokenizer_vectors_deepseek_v3.jsonl", 683)) {
    const auto text = vector["text"].get<std::string>();
    const auto ids = tokenizer_->Encode(text, SpecialTokens::kParse);
    ASSERT_TRUE(ids.ok()) << Message(ids.status());
    EXPECT_EQ(*ids, vector["ids"].get<Ids>()) << vector["cat"] << ": " << vector["text"];
    Ids with_bos = {*tokenizer_->bos_id()};
    with_bos.insert(with_bos.end(), ids->begin(), ids->end());
    EXPECT_EQ(with_bos, vector["ids_bos"].get<Ids>());
  }
}

TEST_F(DeepSeekV3, DecodesAsHuggingFace) {
  for (const auto& vector : TextVectors("tokenizer_vectors_deepseek_v3.jsonl", 683)) {
    const auto ids = vector["ids"].get<Ids>();
    EXPECT_EQ(tokenizer_->Decode(ids, false), vector["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer_->Decode(ids, true), vector["decoded_skip"].get<std::string>());
  }
}

}  // namespace
}  // namespace engram
