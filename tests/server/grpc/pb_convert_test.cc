// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/pb_convert.h"

#include "base/field_error.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::Pair;

pb::GenerateRequest Parse(const std::string& text) {
  pb::GenerateRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return request;
}

GenerateParams Convert(const std::string& text, RequestParams defaults = {}) {
  auto params = ToGenerateParams(Parse(text), std::move(defaults));
  EXPECT_TRUE(params.ok()) << params.status();
  return *std::move(params);
}

TEST(ToGenerateParamsTest, AbsentFieldsKeepTheDefaults) {
  RequestParams defaults;
  defaults.sampling.temperature = 0.25f;
  defaults.sampling.top_k = 40;
  defaults.sampling.top_p = 0.5f;
  const GenerateParams params = Convert("prompt: 'hi'", defaults);
  EXPECT_EQ(std::get<std::string>(params.prompts.at(0)), "hi");
  EXPECT_EQ(params.request.sampling.temperature, 0.25f);
  EXPECT_EQ(params.request.sampling.top_k, 40);
  EXPECT_EQ(params.request.sampling.top_p, 0.5f);
  EXPECT_EQ(params.request.n, 1);
  EXPECT_FALSE(params.request.max_tokens.has_value());
  EXPECT_FALSE(params.request.seed.has_value());
  EXPECT_FALSE(params.request.sampling.logprobs.has_value());
  EXPECT_FALSE(params.request.prompt_logprobs.has_value());
  EXPECT_TRUE(params.request.engram_enabled);
  EXPECT_TRUE(params.skip_special_tokens);
  EXPECT_FALSE(params.add_special_tokens.has_value());
  EXPECT_FALSE(params.time_limit_ms.has_value());
}

TEST(ToGenerateParamsTest, ZeroIsZeroAndNotAbsent) {
  RequestParams defaults;
  defaults.sampling.temperature = 0.25f;
  defaults.sampling.top_k = 40;
  const GenerateParams params = Convert(
      "prompt: '' temperature: 0 top_k: 0 seed: 0 logprobs: 0 prompt_logprobs: 0 "
      "skip_special_tokens: false add_special_tokens: false engram { enabled: false }",
      defaults);
  EXPECT_EQ(params.request.sampling.temperature, 0);
  EXPECT_EQ(params.request.sampling.top_k, 0);
  EXPECT_EQ(params.request.seed, 0u);
  EXPECT_EQ(params.request.sampling.logprobs, 0);
  EXPECT_EQ(params.request.prompt_logprobs, 0);
  EXPECT_FALSE(params.skip_special_tokens);
  EXPECT_EQ(params.add_special_tokens, false);
  EXPECT_FALSE(params.request.engram_enabled);
}

TEST(ToGenerateParamsTest, EveryFieldArrives) {
  const GenerateParams params = Convert(R"(
      token_ids { ids: 5 ids: 6 }
      temperature: 0.5 top_k: 3 top_p: 0.75 min_p: 0.125 repetition_penalty: 1.5
      presence_penalty: -1 frequency_penalty: 2
      logit_bias { key: 9 value: -100 } logit_bias { key: 2 value: 1.5 }
      allowed_token_ids: 8 allowed_token_ids: 4 seed: 18446744073709551615
      max_tokens: 7 min_tokens: 2 stop: "a" stop: "b" include_stop_str_in_output: true
      stop_token_ids: 11 ignore_eos: true time_limit_ms: 1500
      n: 4 logprobs: 5 prompt_logprobs: 1 engram { gates: true }
      priority: -3 request_id: "r" cache_salt: "s")");
  EXPECT_THAT(std::get<std::vector<std::int32_t>>(params.prompts.at(0)), ElementsAre(5, 6));
  const SamplingParams& sampling = params.request.sampling;
  EXPECT_EQ(sampling.temperature, 0.5f);
  EXPECT_EQ(sampling.top_k, 3);
  EXPECT_EQ(sampling.top_p, 0.75f);
  EXPECT_EQ(sampling.min_p, 0.125f);
  EXPECT_EQ(sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(sampling.presence_penalty, -1.0f);
  EXPECT_EQ(sampling.frequency_penalty, 2.0f);
  EXPECT_THAT(sampling.logit_bias, ElementsAre(Pair(2, 1.5f), Pair(9, -100.0f)));
  EXPECT_THAT(sampling.allowed_token_ids, ElementsAre(4, 8));
  EXPECT_EQ(sampling.logprobs, 5);
  EXPECT_EQ(params.request.seed, 18446744073709551615u);
  EXPECT_EQ(params.request.max_tokens, 7);
  EXPECT_EQ(params.request.min_tokens, 2);
  EXPECT_THAT(params.stop, ElementsAre("a", "b"));
  EXPECT_TRUE(params.include_stop_str_in_output);
  EXPECT_THAT(params.request.stop_token_ids, ElementsAre(11));
  EXPECT_TRUE(params.request.ignore_eos);
  EXPECT_EQ(params.time_limit_ms, 1500);
  EXPECT_EQ(params.request.n, 4);
  EXPECT_EQ(params.request.prompt_logprobs, 1);
  EXPECT_TRUE(params.request.engram_gates);
  EXPECT_EQ(params.request.priority, -3);
  EXPECT_EQ(params.request.id, "r");
  EXPECT_EQ(params.request.cache_salt, "s");
  EXPECT_FALSE(params.echo);
}

TEST(ToGenerateParamsTest, ChatMessages) {
  const GenerateParams params = Convert(R"(chat {
      messages { role: "user" content: "" }
      messages { role: "assistant" tool_calls { name: "f" arguments: "{}" } }
      add_generation_prompt: false continue_final_message: true })");
  const auto& chat = std::get<ChatPrompt>(params.prompts.at(0));
  ASSERT_EQ(chat.messages.size(), 2u);
  EXPECT_EQ(chat.messages[0].role, "user");
  EXPECT_EQ(chat.messages[0].content, "");
  EXPECT_EQ(chat.messages[1].content, std::nullopt);
  ASSERT_EQ(chat.messages[1].tool_calls.size(), 1u);
  EXPECT_EQ(chat.messages[1].tool_calls[0].type, "function");
  EXPECT_EQ(chat.messages[1].tool_calls[0].name, "f");
  EXPECT_FALSE(chat.options.add_generation_prompt);
  EXPECT_TRUE(chat.options.continue_final_message);
}

TEST(ToGenerateParamsTest, RolesAndTheirNumberAreChecked) {
  EXPECT_EQ(FieldOf(ToGenerateParams(Parse("chat {}"), {}).status()), "chat.messages");
  const absl::Status status =
      ToGenerateParams(Parse(R"(chat { messages { role: "user" content: "a" }
                                       messages { role: "usr" content: "b" } })"),
                       {})
          .status();
  EXPECT_EQ(FieldOf(status), "chat.messages[1].role");
  const GenerateParams params = Convert(R"(chat { messages { role: "developer" content: "a" } })");
  EXPECT_EQ(std::get<ChatPrompt>(params.prompts.at(0)).messages[0].role, "system");
}

TEST(ToGenerateParamsTest, InputIsRequired) {
  const absl::Status status = ToGenerateParams(Parse("n: 1"), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(status), "input");
  EXPECT_EQ(FieldOf(ToPrompt({}).status()), "input");
}

TEST(WithProtoFieldTest, PathsAreThoseOfTheRequest) {
  const auto path = [](const char* field, pb::GenerateRequest::InputCase input) {
    return FieldOf(WithProtoField(InvalidField(field, "x"), input)).value_or("");
  };
  EXPECT_EQ(path("messages[2].content", pb::GenerateRequest::kChat), "chat.messages[2].content");
  EXPECT_EQ(path("continue_final_message", pb::GenerateRequest::kChat),
            "chat.continue_final_message");
  EXPECT_EQ(path("prompt[7]", pb::GenerateRequest::kTokenIds), "token_ids.ids[7]");
  EXPECT_EQ(path("prompt", pb::GenerateRequest::kTokenIds), "token_ids.ids");
  EXPECT_EQ(path("prompt", pb::GenerateRequest::kPrompt), "prompt");
  EXPECT_EQ(path("prompt_logprobs", pb::GenerateRequest::kTokenIds), "prompt_logprobs");
  EXPECT_EQ(path("engram.gates", pb::GenerateRequest::kChat), "engram.gates");
  EXPECT_EQ(FieldOf(WithProtoField(absl::NotFoundError("x"), pb::GenerateRequest::kChat)),
            std::nullopt);
}

TokenResult Token(std::int32_t id) {
  TokenResult token;
  token.token = id;
  token.logprob = TokenLogprob{id, -0.5f, 2};
  token.top_logprobs = {{1, -0.25f, 1}, {id, -0.5f, 2}};
  token.gates = {0.25f, 0.75f};
  return token;
}

TEST(AppendDeltaTest, DeltasAddUp) {
  pb::Choice choice;
  TextDelta delta;
  delta.choice = 3;
  delta.text = "Hel";
  delta.tokens = {Token(7)};
  const ResponseShape shape{.logprobs = true, .gates = true};
  AppendDelta(delta, shape, &choice);
  EXPECT_EQ(choice.finish_reason(), pb::FINISH_REASON_UNSPECIFIED);
  delta.text = "lo";
  delta.tokens = {Token(8)};
  delta.finish = FinishReason::kStop;
  delta.stop_string = "!";
  AppendDelta(delta, shape, &choice);

  EXPECT_EQ(choice.index(), 3);
  EXPECT_EQ(choice.text(), "Hello");
  EXPECT_THAT(choice.token_ids(), ElementsAre(7, 8));
  ASSERT_EQ(choice.logprobs_size(), 2);
  EXPECT_EQ(choice.logprobs(1).token().token_id(), 8);
  EXPECT_EQ(choice.logprobs(1).token().logprob(), -0.5f);
  EXPECT_EQ(choice.logprobs(1).token().rank(), 2);
  EXPECT_EQ(choice.logprobs(1).top_size(), 2);
  ASSERT_EQ(choice.gates_size(), 2);
  EXPECT_THAT(choice.gates(0).values(), ElementsAre(0.25f, 0.75f));
  EXPECT_EQ(choice.finish_reason(), pb::FINISH_REASON_STOP);
  EXPECT_EQ(choice.stop_string(), "!");
}

TEST(AppendDeltaTest, OnlyWhatWasAskedFor) {
  pb::Choice choice;
  TextDelta delta;
  delta.tokens = {Token(7)};
  AppendDelta(delta, {}, &choice);
  EXPECT_EQ(choice.token_ids_size(), 1);
  EXPECT_EQ(choice.logprobs_size(), 0);
  EXPECT_EQ(choice.gates_size(), 0);
}

TEST(FillPromptInfoTest, OnePerPromptToken) {
  PromptResult result;
  result.tokens = {Token(1), Token(2)};
  result.tokens[0].logprob.reset();
  pb::PromptInfo info;
  FillPromptInfo({1, 2}, &result, {.prompt_logprobs = true, .prompt_token_ids = true}, &info);
  EXPECT_THAT(info.token_ids(), ElementsAre(1, 2));
  ASSERT_EQ(info.logprobs_size(), 2);
  EXPECT_FALSE(info.logprobs(0).has_token());
  EXPECT_EQ(info.logprobs(1).token().token_id(), 2);
  EXPECT_EQ(info.gates_size(), 0);
}

TEST(ToFinishReasonTest, AllOfThem) {
  EXPECT_EQ(ToFinishReason(FinishReason::kStop), pb::FINISH_REASON_STOP);
  EXPECT_EQ(ToFinishReason(FinishReason::kLength), pb::FINISH_REASON_LENGTH);
  EXPECT_EQ(ToFinishReason(FinishReason::kDeadline), pb::FINISH_REASON_TIME_LIMIT);
  EXPECT_EQ(ToFinishReason(FinishReason::kAborted), pb::FINISH_REASON_ABORTED);
}

}  // namespace
}  // namespace engram
