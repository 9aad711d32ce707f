// SPDX-License-Identifier: Apache-2.0
// Whatever a tokenizer file says that we do not do exactly is an error, and it names the key.
#include "server/text/tokenizer_json.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/strings.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using Json = nlohmann::json;

Json Valid() {
  return Json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
    "added_tokens": [{"id": 3, "content": "<s>", "single_word": true, "lstrip": true,
                      "rstrip": true, "normalized": false, "special": true}],
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": "a+"}, "behavior": "Isolated", "invert": false},
      {"type": "Split", "pattern": {"String": "b"}, "behavior": "Isolated", "invert": true},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
    "post_processor": {"type": "ByteLevel"}, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "dropout": null, "continuing_subword_prefix": null,
              "end_of_word_suffix": "", "ignore_merges": true,
              "vocab": {"x": 0, "y": 1, "xy": 2}, "merges": ["x y", ["xy", "x"]]}})");
}

TEST(TokenizerJsonTest, ReadsWhatIsThere) {
  const auto parsed = ParseTokenizerJson(Valid().dump());
  ASSERT_TRUE(parsed.ok()) << Message(parsed.status());
  EXPECT_EQ(parsed->vocabulary.size(), 3u);
  const std::vector<std::pair<std::string, std::string>> merges = {{"x", "y"}, {"xy", "x"}};
  EXPECT_EQ(parsed->merges, merges);
  EXPECT_TRUE(parsed->ignore_merges);
  ASSERT_EQ(parsed->added_tokens.size(), 1u);
  const AddedToken& token = parsed->added_tokens[0];
  EXPECT_EQ(token.content, "<s>");
  EXPECT_EQ(token.id, 3);
  EXPECT_TRUE(token.single_word && token.lstrip && token.rstrip && token.special);
  EXPECT_FALSE(token.normalized);
  ASSERT_EQ(parsed->splits.size(), 2u);
  EXPECT_EQ(parsed->splits[0].pattern, "a+");
  EXPECT_FALSE(parsed->splits[0].is_literal);
  EXPECT_EQ(parsed->splits[0].key, "pre_tokenizer.pretokenizers[0].pattern");
  EXPECT_TRUE(parsed->splits[1].is_literal);
}

TEST(TokenizerJsonTest, AbsentKeysHaveTheLibrarysDefaults) {
  Json json = Valid();
  for (const char* key : {"added_tokens", "normalizer", "post_processor"}) json.erase(key);
  json["model"].erase("ignore_merges");
  json["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  const auto parsed = ParseTokenizerJson(json.dump());
  ASSERT_TRUE(parsed.ok()) << Message(parsed.status());
  EXPECT_TRUE(parsed->added_tokens.empty());
  EXPECT_FALSE(parsed->ignore_merges);
  ASSERT_EQ(parsed->splits.size(), 1u);  // use_regex: GPT-2's pattern
  EXPECT_TRUE(parsed->splits[0].pattern.starts_with("'s|'t|"));
}

TEST(TokenizerJsonTest, AnEmptySequenceIsNoNormalizer) {
  Json json = Valid();
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array()}};
  EXPECT_TRUE(ParseTokenizerJson(json.dump()).ok());
}

struct BadCase {
  std::string pointer;  // what is changed
  std::string value;    // to what; "" removes it
  std::string message;  // what the error says behind "tokenizer.json: "
};

TEST(TokenizerJsonTest, EveryErrorNamesTheKey) {
  const std::vector<BadCase> cases = {
      {"/model", "", "model: expected an object, found null"},
      {"/model/type", "\"Unigram\"",
       "model.type: \"Unigram\" is not supported; supported: \"BPE\""},
      {"/model/type", "", "model.type: null is not supported"},
      {"/model/vocab", "[]", "model.vocab: expected an object, found array"},
      {"/model/vocab/y", "-1", "model.vocab[\"y\"]: expected an id from 0 to 1048575, found -1"},
      {"/model/vocab/y", "1.5", "model.vocab[\"y\"]: expected an id from 0 to 1048575, found 1.5"},
      {"/model/vocab/y", "1048576", "model.vocab[\"y\"]: expected an id from 0 to 1048575"},
      {"/model/vocab/y", "\"1\"", "model.vocab[\"y\"]: expected an id"},
      {"/model/vocab/", "7", "model.vocab[\"\"]: expected no empty token"},
      {"/model/merges", "{}", "model.merges: expected an array, found object"},
      {"/model/merges/1", "\"xyx\"", "model.merges[1]: expected two tokens, found \"xyx\""},
      {"/model/merges/1", "\"x y x\"", "model.merges[1]: expected two tokens, found \"x y x\""},
      {"/model/merges/1", "[\"x\"]", "model.merges[1]: expected two tokens, found array"},
      {"/model/merges/1", "[\"x\", 1]", "model.merges[1]: expected two tokens, found array"},
      {"/model/dropout", "0.1", "model.dropout: 0.1 is not supported; supported: null"},
      {"/model/continuing_subword_prefix", "\"##\"",
       "model.continuing_subword_prefix: \"##\" is not supported"},
      {"/model/end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix: \"</w>\" is not"},
      {"/model/ignore_merges", "1", "model.ignore_merges: expected true or false, found 1"},
      {"/added_tokens", "{}", "added_tokens: expected an array, found object"},
      {"/added_tokens/0", "3", "added_tokens[0]: expected an object, found 3"},
      {"/added_tokens/0/id", "",
       "added_tokens[0].id: expected an id from 0 to 1048575, found null"},
      {"/added_tokens/0/content", "7", "added_tokens[0].content: expected a string, found 7"},
      {"/added_tokens/0/content", "\"\"", "added_tokens[0].content: expected a text, found \"\""},
      {"/added_tokens/0/lstrip", "\"no\"", "added_tokens[0].lstrip: expected true or false"},
      {"/normalizer", "{\"type\": \"NFC\"}",
       "normalizer: {\"type\":\"NFC\"} is not supported; supported: null, an empty Sequence"},
      {"/normalizer", "7", "normalizer: expected an object or null, found 7"},
      {"/pre_tokenizer", "null", "pre_tokenizer: expected an object, found null"},
      {"/pre_tokenizer/type", "\"Metaspace\"",
       "pre_tokenizer.type: \"Metaspace\" is not supported"},
      {"/pre_tokenizer/pretokenizers", "{}",
       "pre_tokenizer.pretokenizers: expected an array, found object"},
      {"/pre_tokenizer/pretokenizers/2", "",
       "pre_tokenizer: no ByteLevel at its end; supported are byte-level tokenizers only"},
      {"/pre_tokenizer/pretokenizers/0/type", "\"ByteLevel\"",
       "pre_tokenizer.pretokenizers[0].type: \"ByteLevel\" is not supported"},
      {"/pre_tokenizer/pretokenizers/0", "[]",
       "pre_tokenizer.pretokenizers[0]: expected an object, found array"},
      {"/pre_tokenizer/pretokenizers/0/behavior", "\"Removed\"",
       "pre_tokenizer.pretokenizers[0].behavior: \"Removed\" is not supported"},
      {"/pre_tokenizer/pretokenizers/0/pattern", "\"a\"",
       "pre_tokenizer.pretokenizers[0].pattern: expected an object, found \"a\""},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", "7",
       "pre_tokenizer.pretokenizers[0].pattern.Regex: expected a string, found 7"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", '"' + std::string(70'000, 'a') + '"',
       "pre_tokenizer.pretokenizers[0].pattern: 70000 bytes, at most 65536"},
      {"/pre_tokenizer/pretokenizers/2/add_prefix_space", "true",
       "pre_tokenizer.pretokenizers[2].add_prefix_space: true is not supported"},
      {"/pre_tokenizer/pretokenizers/2/add_prefix_space", "",
       "pre_tokenizer.pretokenizers[2].add_prefix_space: true is not supported"},
      {"/post_processor/type", "\"TemplateProcessing\"",
       "post_processor.type: \"TemplateProcessing\" is not supported"},
      {"/decoder", "null", "decoder: expected an object, found null"},
      {"/decoder/type", "\"WordPiece\"", "decoder.type: \"WordPiece\" is not supported"},
  };
  for (const BadCase& bad : cases) {
    Json json = Valid();
    const Json::json_pointer pointer(bad.pointer);
    if (bad.value.empty()) {
      Json& parent = json[pointer.parent_pointer()];
      if (parent.is_array()) {
        parent.erase(std::stoul(pointer.back()));
      } else {
        parent.erase(pointer.back());
      }
    } else {
      json[pointer] = Json::parse(bad.value);
    }
    const absl::Status status = ParseTokenizerJson(json.dump()).status();
    EXPECT_TRUE(Message(status).starts_with("tokenizer.json: " + bad.message))
        << bad.pointer << " = " << bad.value.substr(0, 80) << ": " << Message(status);
  }
}

TEST(TokenizerJsonTest, WhatIsNoJsonSaysWhere) {
  EXPECT_TRUE(Message(ParseTokenizerJson("{\"model\": }").status())
                  .starts_with("tokenizer.json: not JSON: "));
  EXPECT_NE(Message(ParseTokenizerJson("{\"model\": }").status()).find("line 1, column 11"),
            std::string::npos);
  EXPECT_EQ(Message(ParseTokenizerJson("[]").status()),
            "tokenizer.json: the file: expected an object, found array");
  EXPECT_FALSE(ParseTokenizerJson("").ok());
  EXPECT_FALSE(ParseTokenizerJson("{\"a\": \"\xFF\"}").ok());
  EXPECT_FALSE(ParseTokenizerJson(R"({"a": "\ud800"})").ok());  // a lone surrogate is no text
}

TEST(TokenizerJsonTest, NestingIsBounded) {
  const std::string deep = "{\"a\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_EQ(Message(ParseTokenizerJson(deep).status()), "tokenizer.json: nests more than 64 deep");
  EXPECT_EQ(Message(ParseTokenizerConfig(deep).status()),
            "tokenizer_config.json: nests more than 64 deep");
}

TEST(TokenizerConfigTest, ReadsBothFormsOfTokens) {
  const auto config = ParseTokenizerConfig(
      R"({"bos_token": "<s>", "eos_token": {"__type": "AddedToken", "content": "</s>"},
          "pad_token": null, "add_bos_token": true, "chat_template": "{{ x }}", "other": [1]})");
  ASSERT_TRUE(config.ok()) << Message(config.status());
  EXPECT_EQ(config->bos_token, "<s>");
  EXPECT_EQ(config->eos_token, "</s>");
  EXPECT_EQ(config->pad_token, std::nullopt);
  EXPECT_TRUE(config->add_bos_token);
  EXPECT_EQ(config->chat_template, "{{ x }}");
}

TEST(TokenizerConfigTest, DefaultsAreNoTokensAndNoTemplate) {
  for (const char* json : {"", "{}"}) {
    const auto config = ParseTokenizerConfig(json);
    ASSERT_TRUE(config.ok());
    EXPECT_EQ(config->bos_token, std::nullopt);
    EXPECT_FALSE(config->add_bos_token);
    EXPECT_EQ(config->chat_template, "");
  }
}

TEST(TokenizerConfigTest, OfSeveralTemplatesTheDefaultIsTaken) {
  const auto config = ParseTokenizerConfig(
      R"({"chat_template": [{"name": "tool_use", "template": "t"},
                            {"name": "default", "template": "d"}]})");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->chat_template, "d");
}

TEST(TokenizerConfigTest, EveryErrorNamesTheKey) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"bos_token": 1})", "bos_token: expected a string, an object or null, found 1"},
      {R"({"eos_token": {"id": 1}})", "eos_token.content: expected a string, found null"},
      {R"({"add_bos_token": "yes"})", "add_bos_token: expected true or false, found \"yes\""},
      {R"({"chat_template": 1})", "chat_template: expected a string, an array or null, found 1"},
      {R"({"chat_template": [1]})", "chat_template[0]: expected an object, found 1"},
      {R"({"chat_template": [{"name": "rag", "template": "x"}]})",
       "chat_template: no entry is named \"default\""},
      {R"({"chat_template": [{"name": "default"}]})",
       "chat_template[0].template: expected a string, found null"},
      {"7", "the file: expected an object, found 7"},
  };
  for (const auto& [json, message] : cases) {
    EXPECT_EQ(Message(ParseTokenizerConfig(json).status()), "tokenizer_config.json: " + message);
  }
}

}  // namespace
}  // namespace engram
