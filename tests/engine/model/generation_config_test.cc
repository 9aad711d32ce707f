// SPDX-License-Identifier: Apache-2.0
#include "engine/model/generation_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(GenerationConfigTest, ReadsAllFields) {
  const auto config = GenerationConfig::Parse(
      R"({"do_sample": true, "temperature": 0.6, "top_k": 50, "top_p": 0.95, "min_p": 0.1,
          "repetition_penalty": 1.1, "max_new_tokens": 128, "eos_token_id": [1, 7],
          "bos_token_id": 0, "pad_token_id": 2, "transformers_version": "5.23.0"})",
      8);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->do_sample, true);
  EXPECT_EQ(config->temperature, 0.6f);
  EXPECT_EQ(config->top_k, 50);
  EXPECT_EQ(config->top_p, 0.95f);
  EXPECT_EQ(config->min_p, 0.1f);
  EXPECT_EQ(config->repetition_penalty, 1.1f);
  EXPECT_EQ(config->max_new_tokens, 128);
  EXPECT_THAT(config->eos_token_ids, ElementsAre(1, 7));
  EXPECT_EQ(config->bos_token_id, 0);
  EXPECT_EQ(config->pad_token_id, 2);
}

TEST(GenerationConfigTest, WhatIsAbsentOrNullIsNotSaid) {
  const auto config = GenerationConfig::Parse(R"({"temperature": null})", 8);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->do_sample.has_value());
  EXPECT_FALSE(config->temperature.has_value());
  EXPECT_FALSE(config->max_new_tokens.has_value());
  EXPECT_THAT(config->eos_token_ids, IsEmpty());
}

TEST(GenerationConfigTest, ReadsTheDemoModels) {
  const auto config = GenerationConfig::Load("models/engram-demo", 8192);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->do_sample, false);
  EXPECT_EQ(config->max_new_tokens, 128);
  EXPECT_THAT(config->eos_token_ids, ElementsAre(1));
}

TEST(GenerationConfigTest, ACheckpointWithoutTheFileRecommendsNothing) {
  const auto config = GenerationConfig::Load("tests/testdata/tokenizer_tiny", 2048);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->do_sample.has_value());
}

TEST(GenerationConfigTest, RefusesWhatIsOutOfRange) {
  const auto error = [](const char* json) {
    return Message(GenerationConfig::Parse(json, 8).status());
  };
  EXPECT_THAT(
      error(R"({"temperature": -1})"),
      HasSubstr("generation_config.json: temperature is -1; expected a number from 0 to 2"));
  EXPECT_THAT(error(R"({"top_p": 0})"), HasSubstr("top_p is 0; expected a number above 0"));
  EXPECT_THAT(error(R"({"top_k": 1.5})"), HasSubstr("top_k is 1.5; expected an integer"));
  EXPECT_THAT(error(R"({"min_p": "x"})"), HasSubstr("min_p is \"x\"; expected a number"));
  EXPECT_THAT(error(R"({"repetition_penalty": 0})"), HasSubstr("repetition_penalty is 0"));
  EXPECT_THAT(error(R"({"max_new_tokens": 0})"), HasSubstr("max_new_tokens is 0"));
  EXPECT_THAT(error(R"({"eos_token_id": 8})"), HasSubstr("eos_token_id is 8"));
  EXPECT_THAT(error(R"({"do_sample": 1})"), HasSubstr("do_sample is 1; expected true or false"));
}

}  // namespace
}  // namespace engram
