// SPDX-License-Identifier: Apache-2.0
// Token compression against Hugging Face's normalizers and DeepSeek's own map, id by id.
#include "engine/engram/token_map.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/strings.h"
#include "gtest/gtest.h"
#include "server/text/token_sources.h"
#include "server/text/tokenizer.h"
#include "server/text/utf8.h"
#include "tests/server/text/vectors.h"
#include "tests/testing/tensors.h"

namespace engram {
namespace {

using testing_support::TensorFile;
using testing_support::TextVectors;

std::vector<TokenSource> SourcesOf(const std::string& directory) {
  const auto tokenizer = Tokenizer::Load(directory);
  EXPECT_TRUE(tokenizer.ok()) << Message(tokenizer.status());
  return tokenizer.ok() ? TokenSources(**tokenizer) : std::vector<TokenSource>();
}

void ExpectEqualMaps(const TokenMap& map, const std::string& reference) {
  const std::vector<std::int32_t> expected = TensorFile::Load(reference).I32("raw_to_compressed");
  ASSERT_EQ(map.raw_to_compressed().size(), expected.size());
  for (std::size_t id = 0; id < expected.size(); ++id) {
    ASSERT_EQ(map.Compress(static_cast<std::int32_t>(id)), expected[id]) << "raw id " << id;
  }
}

std::string FromHex(const std::string& code_point) {
  std::string text;
  AppendUtf8(std::stoul(code_point, nullptr, 16), text);
  return text;
}

TEST(TokenMapTest, NormalizesAsHuggingFace) {
  for (const auto& vector : TextVectors("normalizer_vectors.jsonl", 378)) {
    const auto text = vector["text"].get<std::string>();
    EXPECT_EQ(NormalizeTokenText(text), vector["normalized"].get<std::string>()) << vector;
    if (text.find("\uFFFD") != std::string::npos) continue;  // as a token it would be incomplete
    EXPECT_EQ(TokenKey({text, "unused"}), vector["key"].get<std::string>()) << vector;
  }
}

// The code points on which Hugging Face's Unicode tables and ICU's own disagree.
TEST(TokenMapTest, FollowsHuggingFacesUnicodeWhereIcuDiffers) {
  for (const auto& vector : TextVectors("unicode_hf_vs_icu72.jsonl", 546)) {
    const std::string c = FromHex(vector["cp"]);
    std::string expected = c;
    if (vector.contains("nfkc")) expected = FromHex(vector["nfkc"][0]);
    if (vector.contains("mark") && vector["mark"][0] == true) expected = "";
    if (vector.contains("lower")) expected = FromHex(vector["lower"][0]);
    EXPECT_EQ(NormalizeTokenText("x" + c + "y"), "x" + expected + "y") << vector;
  }
}

TEST(TokenMapTest, LowersEachCodePointByItself) {
  EXPECT_EQ(NormalizeTokenText("ΟΔΟΣ"), "οδοσ");  // no final sigma
  EXPECT_EQ(NormalizeTokenText("İ"), "i");
}

TEST(TokenMapTest, CollapsesFourBlanksAndTrimsAll) {
  EXPECT_EQ(NormalizeTokenText(" \t\r\n "), " ");
  EXPECT_EQ(NormalizeTokenText("\u00a0"), " ");  // NFKC makes it a blank
  EXPECT_EQ(NormalizeTokenText("a \t b"), "a b");
  EXPECT_EQ(NormalizeTokenText("a\u000b b"), "a\u000b b");  // a line tabulation does not collapse
  EXPECT_EQ(NormalizeTokenText("\u000b a\u0085"), "a");     // but is trimmed
  EXPECT_EQ(NormalizeTokenText(""), "");
}

TEST(TokenMapTest, KeysIncompleteTextByItsSpelling) {
  EXPECT_EQ(TokenKey({"a\xEF\xBF\xBD", "aĠ"}), "aĠ");
  EXPECT_EQ(TokenKey({"\u0301", "unused"}), "\u0301");  // normalises to nothing: the text itself
}

TEST(TokenMapTest, NumbersClassesInOrderOfFirstAppearance) {
  const std::vector<TokenSource> tokens = {{"b", ""}, {"a", ""}, {" B", ""}, {"c", ""}, {"Á", ""}};
  const TokenMap map = BuildTokenMap(tokens);
  EXPECT_EQ(map.compressed_size(), 3);
  const std::vector<std::int32_t> expected = {0, 1, 0, 2, 1};
  EXPECT_EQ(
      std::vector<std::int32_t>(map.raw_to_compressed().begin(), map.raw_to_compressed().end()),
      expected);
}

TEST(TokenMapTest, ReproducesDeepSeeksMap) {
  const std::vector<TokenSource> sources = SourcesOf("tests/testdata/tokenizer_deepseek_v3");
  const TokenMap map = BuildTokenMap(sources);
  EXPECT_EQ(map.size(), 128815);
  EXPECT_EQ(map.compressed_size(), 98627);
  ExpectEqualMaps(map, "tests/testdata/modules/token_map_deepseek_v3.safetensors");
  for (const auto& vector : TextVectors("engram_token_keys.jsonl", 749)) {
    const auto id = vector["id"].get<std::int32_t>();
    if (!vector["text"].is_null()) {
      EXPECT_EQ(sources[id].text, vector["text"].get<std::string>()) << vector;
    }
    EXPECT_EQ(TokenKey(sources[id]), vector["key"].get<std::string>()) << vector;
    EXPECT_EQ(map.Compress(id), vector["class"].get<std::int32_t>()) << vector;
  }
}

TEST(TokenMapTest, ReproducesTheTinyMap) {
  const TokenMap map = BuildTokenMap(SourcesOf("tests/testdata/tokenizer_tiny"));
  EXPECT_EQ(map.compressed_size(), 1737);
  ExpectEqualMaps(map, "tests/testdata/modules/token_map_tiny.safetensors");
}

// What the demo checkpoint's config.json declares.
TEST(TokenMapTest, AgreesWithTheDemoModelsConfig) {
  const TokenMap map = BuildTokenMap(SourcesOf("models/engram-demo"));
  const auto config =
      nlohmann::json::parse(testing_support::ReadFile("models/engram-demo/config.json"));
  EXPECT_EQ(map.compressed_size(), config["engram_compressed_vocab_size"]);
}

}  // namespace
}  // namespace engram
