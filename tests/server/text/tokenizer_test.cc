// SPDX-License-Identifier: Apache-2.0
// Encode and Decode against Hugging Face's vectors, on DeepSeek-V3's tokenizer and the tiny one.
#include "server/text/tokenizer.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
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

TEST_F(DeepSeekV3, DecodesIllFormedAndUnknownIds) {
  for (const auto& vector : TextVectors("decode_vectors_deepseek_v3.jsonl", 57)) {
    const auto ids = vector["ids"].get<Ids>();
    EXPECT_EQ(tokenizer_->Decode(ids, false), vector["decoded"].get<std::string>()) << vector;
    EXPECT_EQ(tokenizer_->Decode(ids, true), vector["decoded_skip"].get<std::string>()) << vector;
  }
}

TEST_F(DeepSeekV3, KnowsItsTokens) {
  EXPECT_EQ(tokenizer_->size(), 128815);
  EXPECT_EQ(tokenizer_->bos_id(), 0);
  EXPECT_EQ(tokenizer_->eos_id(), 1);
  EXPECT_EQ(tokenizer_->pad_id(), 1);
  EXPECT_TRUE(tokenizer_->add_bos_token());
  EXPECT_EQ(tokenizer_->bos_token(), "<｜begin▁of▁sentence｜>");
  EXPECT_EQ(tokenizer_->eos_token(), "<｜end▁of▁sentence｜>");
  EXPECT_TRUE(tokenizer_->IsSpecial(0));
  EXPECT_EQ(tokenizer_->IdOf("<｜User｜>"), 128803);
  EXPECT_TRUE(tokenizer_->IsAdded(128803));
  EXPECT_FALSE(tokenizer_->IsSpecial(128803));
  EXPECT_EQ(tokenizer_->TokenString(223), "Ġ");
  EXPECT_EQ(tokenizer_->TokenBytes(223), " ");
  EXPECT_FALSE(tokenizer_->IsAdded(223));
  EXPECT_EQ(tokenizer_->IdOf("no such token"), std::nullopt);
}

TEST_F(DeepSeekV3, IdsOutsideTheVocabularyAreNothing) {
  for (const std::int32_t id : {-1, 128815, 129279, 2147483647, -2147483647 - 1}) {
    EXPECT_EQ(tokenizer_->TokenBytes(id), "");
    EXPECT_EQ(tokenizer_->TokenString(id), "");
    EXPECT_FALSE(tokenizer_->IsSpecial(id));
    EXPECT_FALSE(tokenizer_->IsAdded(id));
    EXPECT_EQ(tokenizer_->Decode(std::vector<std::int32_t>{id}, false), "");
  }
}

TEST_F(DeepSeekV3, AsTextMarkersAreOrdinaryText) {
  const std::string text = "a<｜begin▁of▁sentence｜>b<｜User｜><｜tool▁sep｜>";
  const auto ids = tokenizer_->Encode(text, SpecialTokens::kAsText);
  for (const std::int32_t id : *ids) EXPECT_FALSE(tokenizer_->IsAdded(id)) << id;
  EXPECT_EQ(tokenizer_->Decode(*ids, true), text);
  // Without markers both ways agree.
  const std::string plain = "Plain text, 12345 <｜ not a marker ｜>";
  EXPECT_EQ(*tokenizer_->Encode(plain, SpecialTokens::kAsText),
            *tokenizer_->Encode(plain, SpecialTokens::kParse));
}

TEST_F(DeepSeekV3, RefusesWhatIsNotUtf8) {
  const auto ids = tokenizer_->Encode("abc\xED\xA0\x80", SpecialTokens::kParse);
  EXPECT_EQ(ids.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(ids.status()), "text is not UTF-8: byte 0xED at offset 3");
}

std::string Repeat(const std::string& text, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  return out;
}

// A megabyte in one piece, or in as many as there can be: what an O(n²) merge or a backtracking
// regex would not survive. Nothing is asserted about time; the suite's own limit would notice.
TEST_F(DeepSeekV3, SurvivesTheWorstTexts) {
  for (const std::string& unit :
       {std::string("a"), std::string(" "), std::string("\n"), std::string("👩\u200d💻"),
        std::string("\u0301"), std::string("!"), std::string("9"), std::string(" \t\r"),
        std::string("<｜"), std::string("<｜User｜>"), std::string("日"), std::string("aA1 ")}) {
    const std::string text = Repeat(unit, 1'000'000);
    const auto ids = tokenizer_->Encode(text, SpecialTokens::kParse);
    ASSERT_TRUE(ids.ok()) << Message(ids.status());
    EXPECT_EQ(tokenizer_->Decode(*ids, false), text) << testing::PrintToString(unit);
  }
}

TEST(TinyTokenizer, EncodesAsHuggingFace) {
  const auto tokenizer = LoadOrDie("tests/testdata/tokenizer_tiny");
  const auto vectors = nlohmann::json::parse(
      testing_support::ReadFile("tests/testdata/modules/tokenizer_tiny_vectors.json"));
  EXPECT_EQ(vectors["encode"].size(), 59u);
  for (const auto& vector : vectors["encode"]) {
    const auto ids = tokenizer->Encode(vector["text"].get<std::string>(), SpecialTokens::kParse);
    EXPECT_EQ(*ids, vector["ids"].get<Ids>()) << vector;
    EXPECT_EQ(tokenizer->Decode(*ids, false), vector["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer->Decode(*ids, true), vector["decoded_skip_special"].get<std::string>());
  }
}

// Tokenizers of a few hundred entries that use the flags and options which the checkpoints' own
// leave alone; see make_small_tokenizers.py beside the file.
TEST(SmallTokenizers, EncodeAsHuggingFace) {
  const auto all = nlohmann::json::parse(
      testing_support::ReadFile("tests/server/text/testdata/small_tokenizers.json"));
  EXPECT_EQ(all.size(), 4u);
  for (const auto& [name, entry] : all.items()) {
    const auto tokenizer = Tokenizer::Parse(entry["tokenizer"].dump(), "");
    ASSERT_TRUE(tokenizer.ok()) << name << ": " << Message(tokenizer.status());
    EXPECT_EQ(entry["cases"].size(), 76u);
    for (const auto& c : entry["cases"]) {
      const auto ids = (*tokenizer)->Encode(c["text"].get<std::string>(), SpecialTokens::kParse);
      ASSERT_TRUE(ids.ok());
      EXPECT_EQ(*ids, c["ids"].get<Ids>()) << name << ": " << c;
      EXPECT_EQ((*tokenizer)->Decode(*ids, false), c["decoded"].get<std::string>()) << c;
      EXPECT_EQ((*tokenizer)->Decode(*ids, true), c["decoded_skip"].get<std::string>()) << c;
    }
  }
}

// ---- Files that contradict themselves ----

class BadFiles : public testing::Test {
 protected:
  void SetUp() override {
    const auto all = nlohmann::json::parse(
        testing_support::ReadFile("tests/server/text/testdata/small_tokenizers.json"));
    json_ = all["flags"]["tokenizer"];
  }

  std::string Error(const std::string& config = "") const {
    const auto tokenizer = Tokenizer::Parse(json_.dump(), config);
    EXPECT_FALSE(tokenizer.ok());
    return Message(tokenizer.status());
  }

  nlohmann::json json_;
};

TEST_F(BadFiles, OneTokenTwoIds) {
  json_["added_tokens"][0]["content"] = "hello";
  EXPECT_EQ(Error().substr(0, 67),
            "tokenizer.json: added_tokens[0]: token 'hello' has two ids, 259 and");
}

TEST_F(BadFiles, OneIdTwoTokens) {
  json_["model"]["vocab"]["zz"] = 7;
  EXPECT_TRUE(Error().starts_with("tokenizer.json: model.vocab: id 7 has two tokens, "));
}

TEST_F(BadFiles, AMergeOfUnknownTokens) {
  json_["model"]["merges"].push_back("q q");
  EXPECT_EQ(Error(), "tokenizer.json: model.merges[15]: token 'qq' is not in model.vocab");
}

TEST_F(BadFiles, AByteWithoutToken) {
  json_["model"]["merges"].clear();
  json_["model"]["vocab"].erase("Ġ");
  EXPECT_EQ(Error(),
            "tokenizer.json: model.vocab: no token 'Ġ' for byte 0x20; a byte-level vocabulary has "
            "all bytes");
}

TEST_F(BadFiles, APatternThatIsNoRegex) {
  json_["pre_tokenizer"]["pretokenizers"][1]["pattern"]["Regex"] = "a(";
  EXPECT_TRUE(Error().starts_with(
      "tokenizer.json: pre_tokenizer.pretokenizers[1].pattern: 'a(': not a regular expression"));
}

TEST_F(BadFiles, ASpecialTokenThatIsNoToken) {
  EXPECT_EQ(Error(R"({"eos_token": "</s>"})"),
            "tokenizer_config.json: eos_token: token '</s>' is not in tokenizer.json");
  EXPECT_EQ(Error(R"({"add_bos_token": true})"),
            "tokenizer_config.json: add_bos_token is true, but there is no bos_token");
}

TEST(LoadTest, NamesTheFile) {
  const auto missing = Tokenizer::Load("tests/testdata/no_such_folder");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Message(missing.status())
                  .starts_with("tests/testdata/no_such_folder/tokenizer.json: No such file"));
}

TEST(LoadTest, ErrorsBeginWithTheWholePath) {
  const std::string folder = testing::TempDir() + "/bad_tokenizer";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/tokenizer.json") << "{}";
  EXPECT_TRUE(Message(Tokenizer::Load(folder).status())
                  .starts_with(folder + "/tokenizer_config.json: No such file"));
  std::ofstream(folder + "/tokenizer_config.json").flush();
  EXPECT_EQ(Message(Tokenizer::Load(folder).status()),
            folder + "/tokenizer_config.json: the file is empty");
  std::ofstream(folder + "/tokenizer_config.json") << "{}";
  EXPECT_TRUE(Message(Tokenizer::Load(folder).status())
                  .starts_with(folder + "/tokenizer.json: pre_tokenizer: expected an object"));
}

}  // namespace
}  // namespace engram
