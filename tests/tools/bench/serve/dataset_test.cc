// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/dataset.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "gtest/gtest.h"

namespace engram::bench {
namespace {

DatasetOptions Random(int input, int output, double ratio) {
  DatasetOptions options;
  options.vocab_size = 100;
  options.random_input_len = input;
  options.random_output_len = output;
  options.random_range_ratio = ratio;
  return options;
}

TEST(DatasetTest, RandomLengthsAreExactAndIdsInRange) {
  const auto dataset = MakeTokenDataset(Random(50, 9, 0), 1);
  std::set<std::int32_t> seen;
  for (int i = 0; i < 100; ++i) {
    const Conversation conversation = dataset->Get(i);
    ASSERT_EQ(conversation.turns.size(), 1u);
    const RequestSpec& request = conversation.turns[0];
    EXPECT_EQ(request.token_ids.size(), 50u);
    EXPECT_EQ(request.output_tokens, 9);
    seen.insert(request.token_ids.begin(), request.token_ids.end());
  }
  EXPECT_EQ(seen.size(), 100u);  // 5000 draws of 100 ids
  EXPECT_EQ(*seen.begin(), 0);
  EXPECT_EQ(*seen.rbegin(), 99);
}

TEST(DatasetTest, ARangeRatioFillsItsRange) {
  const auto dataset = MakeTokenDataset(Random(40, 8, 0.25), 1);
  std::set<std::size_t> inputs;
  std::set<int> outputs;
  for (int i = 0; i < 500; ++i) {
    inputs.insert(dataset->Get(i).turns[0].token_ids.size());
    outputs.insert(dataset->Get(i).turns[0].output_tokens);
  }
  EXPECT_EQ(*inputs.begin(), 30u);
  EXPECT_EQ(*inputs.rbegin(), 50u);
  EXPECT_EQ(*outputs.begin(), 6);
  EXPECT_EQ(*outputs.rbegin(), 10);
}

TEST(DatasetTest, IndexAndSeedDecideAPrompt) {
  const auto ids = [](std::uint64_t seed, int index) {
    return MakeTokenDataset(Random(20, 1, 0), seed)->Get(index).turns[0].token_ids;
  };
  EXPECT_EQ(ids(1, 5), ids(1, 5));
  EXPECT_NE(ids(1, 5), ids(1, 6));
  EXPECT_NE(ids(1, 5), ids(2, 5));
}

TEST(DatasetTest, PrefixesAreSharedAndSuffixesAreNot) {
  DatasetOptions options;
  options.name = "prefix_repetition";
  options.vocab_size = 1000;
  options.prefix_len = 12;
  options.suffix_len = 6;
  options.num_prefixes = 3;
  const auto dataset = MakeTokenDataset(options, 1);
  std::set<std::vector<std::int32_t>> prefixes, suffixes;
  for (int i = 0; i < 60; ++i) {
    const std::vector<std::int32_t> ids = dataset->Get(i).turns[0].token_ids;
    ASSERT_EQ(ids.size(), 18u);
    prefixes.insert({ids.begin(), ids.begin() + 12});
    suffixes.insert({ids.begin() + 12, ids.end()});
  }
  EXPECT_EQ(prefixes.size(), 3u);
  EXPECT_EQ(suffixes.size(), 60u);
}

// A dataset of `contents` in a file of this name.
absl::StatusOr<std::unique_ptr<Dataset>> Read(DatasetOptions options, const std::string& file,
                                              const std::string& contents, bool chat) {
  options.path = testing::TempDir() + file;
  std::ofstream(options.path) << contents;
  options.disable_shuffle = true;
  return ReadDatasetFile(options, chat, 1);
}

TEST(DatasetTest, CustomJsonLinesAndText) {
  DatasetOptions options;
  options.name = "custom";
  options.custom_output_len = -1;
  const std::string lines = "{\"prompt\":\"a b\",\"output_tokens\":3}\n{\"prompt\":\"c\"}\n";
  EXPECT_NE(std::string(Read(options, "p.jsonl", lines, false).status().message()).find("entry 2"),
            std::string::npos);
  options.custom_output_len = 7;
  const auto dataset = Read(options, "p.jsonl", lines, false);
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ((*dataset)->size(), 2);
  EXPECT_EQ((*dataset)->Get(0).turns[0].prompt, "a b");
  EXPECT_EQ((*dataset)->Get(2).turns[0].prompt, "a b");  // over and over
  EXPECT_EQ((*dataset)->Get(1).turns[0].output_tokens, 7);
  const auto text = Read(options, "p.txt", "one\n\ntwo\n", true);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ((*text)->Get(1).turns[0].messages.at(0).content, "two");
}

constexpr char kConversations[] =
    R"([{"conversations":[{"from":"human","value":"hello"},
       {"from":"gpt","value":"0123456789012345"},
       {"from":"human","value":"and now"},{"from":"gpt","value":"bye"}]},
       {"conversations":[{"from":"gpt","value":"alone"}]}, {"conversations":null}, 3])";

TEST(DatasetTest, ShareGptTakesTheFirstQuestion) {
  DatasetOptions options;
  options.name = "sharegpt";
  const auto dataset = Read(options, "s.json", kConversations, false);
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ((*dataset)->size(), 1);
  ASSERT_EQ((*dataset)->Get(0).turns.size(), 1u);
  EXPECT_EQ((*dataset)->Get(0).turns[0].prompt, "hello");
  EXPECT_EQ((*dataset)->Get(0).turns[0].output_tokens, 4);  // 16 bytes
  EXPECT_FALSE(Read(options, "s.json", "{}", false).ok());
  EXPECT_FALSE(Read(options, "s.json", "[]", false).ok());
}

TEST(DatasetTest, MultiTurnKeepsEveryQuestion) {
  DatasetOptions options;
  options.name = "multi_turn";
  const auto dataset = Read(options, "s.json", kConversations, true);
  ASSERT_TRUE(dataset.ok());
  const Conversation conversation = (*dataset)->Get(0);
  ASSERT_EQ(conversation.turns.size(), 2u);
  EXPECT_EQ(conversation.turns[1].messages.at(0).content, "and now");
  options.multi_turn_max_turns = 1;
  EXPECT_EQ((*Read(options, "s.json", kConversations, true))->Get(0).turns.size(), 1u);
}

}  // namespace
}  // namespace engram::bench
