// SPDX-License-Identifier: Apache-2.0
#include "server/frontend.h"

#include <string>
#include <utility>

#include "base/field_error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/fake_engine.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::FakeEngine;
using testing_support::FakeLife;

constexpr int kMaxModelLen = 32;

class FrontendTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tokenizer = Tokenizer::Load("tests/testdata/tokenizer_tiny");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *std::move(tokenizer);
    auto chat = ChatTemplate::Recognise(tokenizer_->chat_template(), *tokenizer_);
    ASSERT_TRUE(chat.ok()) << chat.status();
    chat_ = *std::move(chat);
    FrontendOptions options;
    options.limits = {.max_model_len = kMaxModelLen,
                      .vocab_size = tokenizer_->size(),
                      .cache_tokens = 1000,
                      .eos_token_ids = {1},
                      .has_engram = true};
    options.model_name = "tiny";
    options.model_aliases = {"alias"};
    options.default_sampling.temperature = 0.7f;
    frontend_.emplace(options, tokenizer_.get(), chat_.get(), &engine_, &clock_);
  }

  std::vector<std::int32_t> Ids(const std::string& text) {
    const auto ids = tokenizer_->Encode(text, SpecialTokens::kParse);
    EXPECT_TRUE(ids.ok());
    return *ids;
  }

  static GenerateParams Params(std::vector<Prompt> prompts) {
    GenerateParams params;
    params.prompts = std::move(prompts);
    params.request.max_tokens = 8;
    return params;
  }

  std::unique_ptr<TextGeneration> Generate(GenerateParams params) {
    auto generation = frontend_->Generate(std::move(params));
    EXPECT_TRUE(generation.ok()) << generation.status();
    return generation.ok() ? *std::move(generation) : nullptr;
  }

  // The field that Generate's error names.
  std::string WrongField(GenerateParams params) {
    const auto generation = frontend_->Generate(std::move(params));
    EXPECT_FALSE(generation.ok());
    EXPECT_EQ(generation.status().code(), absl::StatusCode::kInvalidArgument);
    return FieldOf(generation.status()).value_or("none");
  }

  // Gives the tokens of `text` one by one to the i-th request.
  void Say(std::size_t i, const std::string& text) {
    for (const std::int32_t id : Ids(text)) engine_.life(i)->PushToken(id);
  }

  FakeClock clock_;
  FakeEngine engine_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatTemplate> chat_;
  std::optional<Frontend> frontend_;
};

std::string Joined(const std::vector<TextDelta>& deltas) {
  std::string text;
  for (const TextDelta& delta : deltas) text += delta.text;
  return text;
}

TEST_F(FrontendTest, TextPromptsGetTheBosOfTheTokenizerOnceAndOnlyIfWanted) {
  const std::vector<std::int32_t> plain = Ids("Hello world");
  std::vector<std::int32_t> with_bos = plain;
  with_bos.insert(with_bos.begin(), *tokenizer_->bos_id());
  EXPECT_EQ(*frontend_->Tokenize(std::string("Hello world"), std::nullopt), with_bos);
  EXPECT_EQ(*frontend_->Tokenize(std::string("Hello world"), true), with_bos);
  EXPECT_EQ(*frontend_->Tokenize(std::string("Hello world"), false), plain);
  EXPECT_EQ(*frontend_->Tokenize(tokenizer_->bos_token() + "Hello world", true), with_bos);
  EXPECT_EQ(*frontend_->Tokenize(plain, true), plain);  // ids are taken as they are
}

TEST_F(FrontendTest, ChatsAreRenderedByTheTemplate) {
  ChatPrompt prompt;
  prompt.messages.push_back({.role = "user", .content = "Hi", .tool_calls = {}});
  const auto ids = frontend_->Tokenize(prompt, std::nullopt);
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(tokenizer_->Decode(*ids, false), "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>");
}

TEST_F(FrontendTest, DeltasAddUpToTheTextAndCountUsage) {
  const auto generation = Generate(Params({std::string("Hello")}));
  EXPECT_EQ(generation->choices(), 1);
  EXPECT_TRUE(generation->Poll().empty());
  Say(0, " grüße 🙂");
  engine_.life(0)->PushToken(1, FinishReason::kStop);
  const auto deltas = generation->Poll();
  EXPECT_EQ(Joined(deltas), " grüße 🙂");
  EXPECT_EQ(deltas.size(), Ids(" grüße 🙂").size() + 1);  // one for each token, text or not
  EXPECT_EQ(deltas.back().finish, FinishReason::kStop);
  EXPECT_EQ(deltas.back().text, "");  // the end of text is no text
  EXPECT_TRUE(generation->finished());
  EXPECT_EQ(generation->usage().prompt_tokens, static_cast<int>(Ids("Hello").size()) + 1);
  EXPECT_EQ(generation->usage().completion_tokens, static_cast<int>(deltas.size()));
  EXPECT_TRUE(engine_.life(0)->dropped());
}

TEST_F(FrontendTest, HalfACharacterAtTheEndIsShown) {
  const auto generation = Generate(Params({std::string("Hello")}));
  const std::vector<std::int32_t> smile = Ids("🙂");
  ASSERT_GT(smile.size(), 1u) << "the tiny tokenizer spells it in bytes";
  engine_.life(0)->PushToken(smile[0], FinishReason::kLength);
  EXPECT_EQ(Joined(generation->Poll()), "\xef\xbf\xbd");
}

TEST_F(FrontendTest, AStopStringEndsTheAnswerAndTheComputation) {
  GenerateParams params = Params({std::string("x")});
  params.stop = {"wor"};
  const auto generation = Generate(params);
  Say(0, "Hello world and more");
  const auto deltas = generation->Poll();
  EXPECT_EQ(Joined(deltas), "Hello ");
  EXPECT_EQ(deltas.back().finish, FinishReason::kStop);
  EXPECT_EQ(deltas.back().stop_string, "wor");
  EXPECT_TRUE(generation->finished());
  EXPECT_TRUE(engine_.life(0)->dropped());
  EXPECT_TRUE(generation->Poll().empty());

  params.include_stop_str_in_output = true;
  const auto including = Generate(params);
  Say(1, "Hello world and more");
  EXPECT_EQ(Joined(including->Poll()), "Hello wor");
}

TEST_F(FrontendTest, StopStringsAreNotLookedForBeforeMinTokens) {
  GenerateParams params = Params({std::string("x")});
  params.stop = {"a"};
  params.request.min_tokens = static_cast<int>(Ids("a b").size());
  const auto generation = Generate(params);
  Say(0, "a b");
  EXPECT_EQ(Joined(generation->Poll()), "a b");
  Say(0, " a");
  EXPECT_EQ(generation->Poll().back().stop_string, "a");
}

TEST_F(FrontendTest, TheTokenThatStopsIsNoTextUnlessWanted) {
  GenerateParams params = Params({std::string("x")});
  const std::int32_t token = Ids("Hello")[0];
  params.request.stop_token_ids = {token};
  for (const bool include : {false, true}) {
    params.include_stop_str_in_output = include;
    const auto generation = Generate(params);
    TokenEvent event;
    event.token.emplace().token = token;
    event.finish = FinishReason::kStop;
    event.stop_token = token;
    engine_.life(include ? 1 : 0)->Push(event);
    const auto deltas = generation->Poll();
    ASSERT_EQ(deltas.size(), 1u);
    EXPECT_EQ(deltas[0].text.empty(), !include);
    EXPECT_EQ(deltas[0].stop_token, token);
    EXPECT_EQ(deltas[0].tokens.size(), 1u);
  }
}

TEST_F(FrontendTest, ChoicesOfSeveralPromptsAreNumberedPromptByPrompt) {
  GenerateParams params = Params({std::string("a"), std::string("b")});
  params.request.n = 2;
  params.request.sampling.temperature = 1;
  params.stop = {"!"};
  const auto generation = Generate(params);
  EXPECT_EQ(generation->choices(), 4);
  EXPECT_EQ(generation->prompt_tokens(1).back(), Ids("b")[0]);
  const std::int32_t hello = Ids("Hello")[0];
  const std::int32_t bang = Ids("!")[0];
  engine_.life(1)->PushToken(hello, std::nullopt, 1);
  engine_.life(1)->PushToken(bang, std::nullopt, 1);
  engine_.life(1)->PushToken(hello, std::nullopt, 1);  // after the stop string: nobody sees it
  engine_.life(1)->PushToken(hello, FinishReason::kLength, 0);
  const auto deltas = generation->Poll();
  ASSERT_EQ(deltas.size(), 3u);
  EXPECT_EQ(deltas[0].choice, 3);
  EXPECT_EQ(deltas[1].stop_string, "!");
  EXPECT_EQ(deltas[2].choice, 2);
  EXPECT_TRUE(engine_.life(1)->dropped());
  EXPECT_FALSE(engine_.life(0)->dropped());
  EXPECT_FALSE(generation->finished());
  EXPECT_EQ(generation->usage().completion_tokens, 3);
}

TEST_F(FrontendTest, EchoComesBeforeTheFirstText) {
  GenerateParams params = Params({std::string("Hello world")});
  params.echo = true;
  params.request.sampling.logprobs = 3;
  params.request.prompt_logprobs = 1;
  const auto generation = Generate(params);
  EXPECT_EQ(engine_.life(0)->request().prompt_logprobs(), 3);
  auto result = std::make_shared<PromptResult>();
  result->cached_tokens = 2;
  TokenEvent only_prompt;
  only_prompt.prompt = result;
  engine_.life(0)->Push(only_prompt);
  EXPECT_TRUE(generation->Poll().empty());
  engine_.life(0)->PushToken(Ids("!")[0], FinishReason::kLength);
  const auto deltas = generation->Poll();
  ASSERT_EQ(deltas.size(), 1u);
  EXPECT_EQ(deltas[0].text, "Hello world!");
  EXPECT_EQ(deltas[0].prompt, result);
  EXPECT_EQ(generation->usage().cached_tokens, 2);
}

TEST_F(FrontendTest, EchoAloneNeedsNoAnswer) {
  GenerateParams params = Params({Ids("Hello world")});
  params.echo = true;
  params.request.max_tokens = 0;
  const auto generation = Generate(params);
  EXPECT_EQ(engine_.life(0)->request().max_tokens(), 0);
  engine_.life(0)->Finish(FinishReason::kLength);
  const auto deltas = generation->Poll();
  ASSERT_EQ(deltas.size(), 1u);
  EXPECT_EQ(deltas[0].text, "Hello world");
  EXPECT_EQ(deltas[0].finish, FinishReason::kLength);
  EXPECT_EQ(generation->usage().completion_tokens, 0);
}

TEST_F(FrontendTest, PromptsAreTruncatedOnlyOnRequest) {
  GenerateParams params = Params({std::vector<std::int32_t>{10, 11, 12, 13}});
  params.truncate_prompt_tokens = 2;
  EXPECT_THAT(Generate(params)->prompt_tokens(0), ElementsAre(12, 13));
  params.truncate_right = true;
  EXPECT_THAT(Generate(params)->prompt_tokens(0), ElementsAre(10, 11));
  params.truncate_prompt_tokens = -1;
  EXPECT_EQ(Generate(params)->prompt_tokens(0).size(), 4u);
  for (const int bad : {0, -2, kMaxModelLen + 1}) {
    params.truncate_prompt_tokens = bad;
    EXPECT_EQ(WrongField(params), "truncate_prompt_tokens");
  }
}

TEST_F(FrontendTest, ErrorsNameTheField) {
  EXPECT_EQ(WrongField(Params({})), "prompt");
  EXPECT_EQ(WrongField(Params({std::vector<std::int32_t>{}})), "prompt");
  EXPECT_EQ(WrongField(Params(std::vector<Prompt>(5000, std::string("a")))), "prompt");
  EXPECT_EQ(WrongField(Params({std::string("a\xff")})), "prompt");
  GenerateParams params = Params({std::string("a")});
  params.request.n = 0;
  EXPECT_EQ(WrongField(params), "n");
  params.request.n = 1000;
  EXPECT_EQ(WrongField(params), "n");
  params = Params(std::vector<Prompt>(1000, std::string("a")));
  params.request.n = 100;
  params.request.sampling.temperature = 1;
  EXPECT_EQ(WrongField(params), "n");  // together too many
  params = Params({std::string("a")});
  params.stop = {""};
  EXPECT_EQ(WrongField(params), "stop");
  params.stop = {std::string(5000, 'x')};
  EXPECT_EQ(WrongField(params), "stop");
  params.stop = std::vector<std::string>(17, "x");
  EXPECT_EQ(WrongField(params), "stop");
  params.stop.clear();
  params.time_limit_ms = 0;
  EXPECT_EQ(WrongField(params), "time_limit_ms");
  EXPECT_EQ(engine_.request_count(), 0u);
}

TEST_F(FrontendTest, AHugeTextIsRefusedBeforeItIsTokenized) {
  const auto start = std::chrono::steady_clock::now();
  const auto generation = frontend_->Generate(Params({std::string(8 << 20, 'x')}));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(500));
  EXPECT_EQ(ErrorCodeOf(generation.status()), "context_length_exceeded");
}

TEST_F(FrontendTest, APromptThatFillsTheContextIsAnErrorWithItsOwnCode) {
  const auto generation =
      frontend_->Generate(Params({std::vector<std::int32_t>(kMaxModelLen, 10)}));
  EXPECT_EQ(ErrorCodeOf(generation.status()), "context_length_exceeded");
}

TEST_F(FrontendTest, TheTimeLimitBecomesADeadline) {
  clock_.Advance(std::chrono::seconds(5));
  GenerateParams params = Params({std::string("a")});
  params.time_limit_ms = 250;
  const auto generation = Generate(params);
  EXPECT_EQ(engine_.life(0)->request().deadline(), clock_.Now() + std::chrono::milliseconds(250));
}

TEST_F(FrontendTest, DroppingTheGenerationCancelsEveryPrompt) {
  auto generation = Generate(Params({std::string("a"), std::string("b")}));
  EXPECT_FALSE(engine_.life(0)->dropped());
  generation.reset();
  EXPECT_TRUE(engine_.life(0)->dropped());
  EXPECT_TRUE(engine_.life(1)->dropped());
}

TEST_F(FrontendTest, OnReadyIsCalledForEveryPrompt) {
  const auto generation = Generate(Params({std::string("a"), std::string("b")}));
  int calls = 0;
  generation->SetOnReady([&calls] { ++calls; });
  EXPECT_EQ(calls, 0);
  engine_.life(0)->PushToken(10);
  EXPECT_EQ(calls, 1);
  engine_.life(1)->PushToken(10);
  EXPECT_EQ(calls, 2);
  engine_.life(1)->PushToken(10);  // not polled yet
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(generation->Poll().size(), 3u);
  engine_.life(1)->PushToken(10);
  EXPECT_EQ(calls, 3);
}

TEST_F(FrontendTest, TheEnginesRefusalIsPassedOn) {
  engine_.Refuse(WithErrorCode(absl::ResourceExhaustedError("full"), "queue_full"));
  const auto generation = frontend_->Generate(Params({std::string("a")}));
  EXPECT_EQ(generation.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorCodeOf(generation.status()), "queue_full");
}

TEST_F(FrontendTest, KnowsItsModelAndItsDefaults) {
  EXPECT_TRUE(frontend_->CheckModel("").ok());
  EXPECT_TRUE(frontend_->CheckModel("tiny").ok());
  EXPECT_TRUE(frontend_->CheckModel("alias").ok());
  const absl::Status unknown = frontend_->CheckModel("nope");
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FieldOf(unknown), "model");
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("tiny, alias"));
  EXPECT_EQ(frontend_->DefaultRequest().sampling.temperature, 0.7f);
}

TEST_F(FrontendTest, DetokenizeRefusesIdsThatHaveNoToken) {
  EXPECT_EQ(*frontend_->Detokenize(Ids("grüße")), "grüße");
  EXPECT_EQ(*frontend_->Detokenize({0}), tokenizer_->bos_token());  // special tokens are shown
  EXPECT_EQ(*frontend_->Detokenize({}), "");
  for (const std::int32_t bad : {-1, tokenizer_->size(), INT32_MAX}) {
    EXPECT_EQ(FieldOf(frontend_->Detokenize({bad}).status()), "tokens") << bad;
  }
}

}  // namespace
}  // namespace engram
