// SPDX-License-Identifier: Apache-2.0
#include "server/http/openai_json.h"

#include <limits>
#include <string>

#include "base/field_error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr std::string_view kHi = R"("messages": [{"role": "user", "content": "Hi"}])";

RequestParams Defaults() {
  RequestParams defaults;
  defaults.sampling.temperature = 0.6f;
  defaults.sampling.top_p = 0.95f;
  return defaults;
}

OpenAiRequest Completion(const std::string& fields, std::string_view prompt = R"("Hello")") {
  const auto request = ParseCompletionRequest(
      "{\"prompt\": " + std::string(prompt) + (fields.empty() ? "" : ", ") + fields + "}",
      Defaults());
  EXPECT_TRUE(request.ok()) << fields << ": " << request.status();
  return request.ok() ? *request : OpenAiRequest{};
}

OpenAiRequest Chat(const std::string& fields, std::string_view messages = kHi) {
  const auto request = ParseChatRequest(
      "{" + std::string(messages) + (fields.empty() ? "" : ", ") + fields + "}", Defaults());
  EXPECT_TRUE(request.ok()) << fields << ": " << request.status();
  return request.ok() ? *request : OpenAiRequest{};
}

template <typename T>
std::string WrongField(const absl::StatusOr<T>& request) {
  if (request.ok()) return "accepted";
  EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
  return FieldOf(request.status()).value_or("none");
}

std::string WrongCompletion(const std::string& fields, std::string_view prompt = R"("Hello")") {
  return WrongField(
      ParseCompletionRequest("{\"prompt\": " + std::string(prompt) + ", " + fields + "}", {}));
}

std::string WrongChat(const std::string& fields, std::string_view messages = kHi) {
  return WrongField(ParseChatRequest("{" + std::string(messages) + ", " + fields + "}", {}));
}

TEST(OpenAiJson, CompletionDefaults) {
  const OpenAiRequest request = Completion("");
  EXPECT_EQ(std::get<std::string>(request.generate.prompts.at(0)), "Hello");
  EXPECT_EQ(request.generate.request.max_tokens, 16);
  EXPECT_EQ(request.generate.request.n, 1);
  EXPECT_EQ(request.generate.request.sampling.temperature, 0.6f);  // the checkpoint's
  EXPECT_EQ(request.generate.request.sampling.top_p, 0.95f);
  EXPECT_FALSE(request.generate.request.seed.has_value());
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.logprobs.has_value());
  EXPECT_FALSE(request.generate.add_special_tokens.has_value());
}

TEST(OpenAiJson, ChatDefaults) {
  const OpenAiRequest request = Chat("");
  const auto& prompt = std::get<ChatPrompt>(request.generate.prompts.at(0));
  EXPECT_EQ(prompt.messages.at(0).role, "user");
  EXPECT_EQ(prompt.messages.at(0).content, "Hi");
  EXPECT_TRUE(prompt.options.add_generation_prompt);
  EXPECT_FALSE(request.generate.request.max_tokens.has_value());  // all that is left
  EXPECT_EQ(request.role, "assistant");
}

TEST(OpenAiJson, ReadsEveryGenerationField) {
  const OpenAiRequest request = Completion(
      R"("model": "m", "request_id": "r", "temperature": "0.5", "top_p": 0.9, "top_k": -1,
      "min_p": 0.1, "repetition_penalty": 1.2, "presence_penalty": -1, "frequency_penalty": 1,
      "seed": -1, "max_tokens": "3", "min_tokens": 2, "ignore_eos": "yes", "n": 2.0,
      "stop": ["a", "b"], "stop_token_ids": [5], "priority": -3, "cache_salt": "s",
      "logit_bias": {" +7 ": 1000, "3": -1}, "allowed_token_ids": [9, 2, 9],
      "include_stop_str_in_output": 1, "skip_special_tokens": false, "add_special_tokens": false,
      "truncate_prompt_tokens": 4, "truncation_side": "right", "time_limit_ms": 900,
      "echo": true, "logprobs": 2, "return_token_ids": true,
      "return_tokens_as_token_ids": true, "stream": true,
      "stream_options": {"include_usage": true, "continuous_usage_stats": true},
      "engram": {"enabled": false, "gates": true}, "best_of": 3, "whatever": {"a": [1]})");
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.request_id, "r");
  const RequestParams& params = request.generate.request;
  EXPECT_EQ(params.sampling.temperature, 0.5f);
  EXPECT_EQ(params.sampling.top_p, 0.9f);
  EXPECT_EQ(params.sampling.top_k, 0);
  EXPECT_EQ(params.sampling.min_p, 0.1f);
  EXPECT_EQ(params.sampling.repetition_penalty, 1.2f);
  EXPECT_EQ(params.sampling.presence_penalty, -1.0f);
  EXPECT_EQ(params.sampling.frequency_penalty, 1.0f);
  EXPECT_EQ(params.seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(params.max_tokens, 3);
  EXPECT_EQ(params.min_tokens, 2);
  EXPECT_TRUE(params.ignore_eos);
  EXPECT_EQ(params.n, 2);
  EXPECT_THAT(params.stop_token_ids, ElementsAre(5));
  EXPECT_EQ(params.priority, -3);
  EXPECT_EQ(params.cache_salt, "s");
  EXPECT_THAT(params.sampling.logit_bias, ElementsAre(Pair(3, -1.0f), Pair(7, 100.0f)));
  EXPECT_THAT(params.sampling.allowed_token_ids, ElementsAre(2, 9));
  EXPECT_EQ(params.sampling.logprobs, 2);
  EXPECT_FALSE(params.engram_enabled);
  EXPECT_TRUE(params.engram_gates);
  EXPECT_THAT(request.generate.stop, ElementsAre("a", "b"));
  EXPECT_TRUE(request.generate.include_stop_str_in_output);
  EXPECT_FALSE(request.generate.skip_special_tokens);
  EXPECT_EQ(request.generate.add_special_tokens, false);
  EXPECT_EQ(request.generate.truncate_prompt_tokens, 4);
  EXPECT_TRUE(request.generate.truncate_right);
  EXPECT_EQ(request.generate.time_limit_ms, 900);
  EXPECT_TRUE(request.generate.echo);
  EXPECT_TRUE(request.return_token_ids && request.tokens_as_ids && request.stream);
  EXPECT_TRUE(request.include_usage && request.continuous_usage);
}

TEST(OpenAiJson, PromptsInAllFourForms) {
  EXPECT_EQ(Completion("", R"(["a", "b"])").generate.prompts.size(), 2u);
  const auto ids = Completion("", "[1, 2]").generate.prompts;
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_THAT(std::get<std::vector<std::int32_t>>(ids[0]), ElementsAre(1, 2));
  const auto lists = Completion("", "[[1, 2], [3]]").generate.prompts;
  ASSERT_EQ(lists.size(), 2u);
  EXPECT_THAT(std::get<std::vector<std::int32_t>>(lists[1]), ElementsAre(3));
  EXPECT_TRUE(Completion("", "[]").generate.prompts.empty());
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(
                Completion("", "[1180591620717411303424]").generate.prompts.at(0))[0],
            INT32_MAX);  // out of every vocabulary
  EXPECT_EQ(WrongCompletion("\"n\": 1", "5"), "body.prompt");
  EXPECT_EQ(WrongCompletion("\"n\": 1", "[-1]"), "body.prompt.0");
  EXPECT_EQ(WrongCompletion("\"n\": 1", "[1, 1.5]"), "body.prompt.1");
  EXPECT_EQ(WrongCompletion("\"n\": 1", R"([1, "2"])"), "body.prompt.1");
  EXPECT_EQ(WrongCompletion("\"n\": 1", R"(["a", 2])"), "body.prompt");
  EXPECT_EQ(WrongCompletion("\"n\": 1", "[[1], [[2]]]"), "body.prompt.1.0");
  EXPECT_EQ(WrongCompletion("\"n\": 1", "null"), "prompt");
  EXPECT_EQ(WrongField(ParseCompletionRequest("{}", {})), "prompt");
}

TEST(OpenAiJson, BodiesThatAreNoObject) {
  for (const char* body : {"", "null", "[]", "\"x\"", "5"}) {
    EXPECT_EQ(WrongField(ParseCompletionRequest(body, {})), "body") << body;
    EXPECT_EQ(WrongField(ParseTokenizeRequest(body)), "body") << body;
  }
  EXPECT_EQ(WrongField(ParseChatRequest(R"({"messages":[)", {})), "body.13");
}

TEST(OpenAiJson, IllTypedFieldsAreNamed) {
  EXPECT_EQ(WrongCompletion(R"("max_tokens": "abc")"), "body.max_tokens");
  EXPECT_EQ(WrongCompletion(R"("max_tokens": 1.5)"), "body.max_tokens");
  EXPECT_EQ(WrongCompletion(R"("temperature": "hot")"), "body.temperature");
  EXPECT_EQ(WrongCompletion(R"("model": 5)"), "body.model");
  EXPECT_EQ(WrongCompletion(R"("n": null)"), "body.n");
  EXPECT_EQ(WrongCompletion(R"("seed": 9223372036854775808)"), "body.seed");
  EXPECT_EQ(WrongCompletion(R"("seed": 1.5)"), "body.seed");
  EXPECT_EQ(WrongCompletion(R"("stop": 5)"), "body.stop");
  EXPECT_EQ(WrongCompletion(R"("stop": [5])"), "body.stop");
  EXPECT_EQ(WrongCompletion(R"("stop_token_ids": ["a"])"), "body.stop_token_ids.0");
  EXPECT_EQ(WrongCompletion(R"("logit_bias": [1])"), "body.logit_bias");
  EXPECT_EQ(WrongCompletion(R"("logit_bias": {"1": "x"})"), "body.logit_bias.1");
  EXPECT_EQ(WrongCompletion(R"("stream": 7)"), "body.stream");
  EXPECT_EQ(WrongCompletion(R"("stream": true, "stream_options": 5)"), "body.stream_options");
  EXPECT_EQ(WrongCompletion(R"("logprobs": 1.5)"), "body.logprobs");
  EXPECT_EQ(WrongCompletion(R"("engram": true)"), "body.engram");
  EXPECT_EQ(WrongCompletion(R"("engram": {"gates": "maybe"})"), "body.engram.gates");
  EXPECT_EQ(WrongCompletion(R"("truncation_side": "up")"), "body.truncation_side");
  for (const std::string name : {"skip_special_tokens", "include_stop_str_in_output", "priority",
                                 "request_id", "ignore_eos", "min_tokens"}) {
    EXPECT_EQ(WrongCompletion('"' + name + "\": null"), "body." + name);
  }
}

TEST(OpenAiJson, NullsThatClientsSend) {
  Completion(R"("logit_bias": null, "presence_penalty": null, "stop": null, "seed": null,
      "user": null, "suffix": null, "stream": null, "stream_options": null, "top_p": null,
      "top_k": null, "stop_token_ids": null, "logprobs": null, "echo": null, "max_tokens": null,
      "prompt_logprobs": null, "allowed_token_ids": null, "truncate_prompt_tokens": null,
      "response_format": null, "model": null)");
  Chat(R"("n": null, "tools": null, "tool_choice": null, "max_tokens": null, "logprobs": null,
      "top_logprobs": null, "response_format": null, "chat_template_kwargs": null,
      "reasoning_effort": null)");
}

TEST(OpenAiJson, RulesBetweenFields) {
  EXPECT_EQ(WrongCompletion(R"("stream_options": {})"), "stream_options");
  // They are looked at before any type.
  EXPECT_EQ(WrongCompletion(R"("stream_options": {}, "max_tokens": "abc")"), "stream_options");
  EXPECT_EQ(WrongCompletion(R"("logprobs": -1)"), "logprobs");
  EXPECT_EQ(WrongCompletion(R"("logprobs": "1")"), "logprobs");
  EXPECT_EQ(WrongCompletion(R"("prompt_logprobs": -2)"), "prompt_logprobs");
  EXPECT_EQ(WrongCompletion(R"("prompt_logprobs": 1, "stream": true)"), "prompt_logprobs");
  EXPECT_EQ(WrongCompletion(R"("cache_salt": "")"), "cache_salt");
  EXPECT_EQ(WrongCompletion(R"("suffix": "x")"), "suffix");
  EXPECT_EQ(WrongCompletion(R"("max_tokens": 0)"), "max_tokens");
  EXPECT_EQ(WrongCompletion(R"("max_tokens": -1)"), "max_tokens");
  EXPECT_EQ(Completion(R"("max_tokens": 0, "echo": true)").generate.request.max_tokens, 0);
  EXPECT_EQ(WrongCompletion(R"("allowed_token_ids": [])"), "allowed_token_ids");
  EXPECT_EQ(WrongCompletion(R"("logit_bias": {"abc": 1})"), "logit_bias");
  EXPECT_EQ(WrongCompletion(R"("logit_bias": {"2058.0": 1})"), "logit_bias");
  EXPECT_EQ(WrongChat(R"("top_logprobs": 1)"), "top_logprobs");
  EXPECT_EQ(WrongChat(R"("top_logprobs": -2, "logprobs": true)"), "top_logprobs");
  EXPECT_EQ(WrongChat(R"("max_tokens": 0)"), "max_tokens");
  EXPECT_EQ(WrongChat(R"("max_completion_tokens": 0)"), "max_tokens");
  EXPECT_EQ(WrongChat(R"("continue_final_message": true)"), "continue_final_message");
}

TEST(OpenAiJson, WhatIsNotSupportedSaysSo) {
  for (const std::string fields : {
           R"("structured_outputs": {"choice": ["a"]})",
           R"("thinking_token_budget": 4)",
           R"("mm_processor_kwargs": {})",
           R"("logprob_token_ids": [5])",
           R"("bad_words": ["x"])",
           R"("use_beam_search": true)",
           R"("prompt_embeds": "AAAA")",
           R"("suffix": "x")",
           R"("response_format": {"type": "json_object"})",
       }) {
    const auto request = ParseCompletionRequest("{\"prompt\": \"a\", " + fields + "}", {});
    ASSERT_FALSE(request.ok()) << fields;
    EXPECT_EQ(ErrorCodeOf(request.status()), "unsupported") << fields;
    EXPECT_EQ(fields.find('"' + *FieldOf(request.status()) + '"'), 0u) << fields;
  }
  Completion(R"("bad_words": [], "use_beam_search": false, "response_format": {"type": "text"})");
  EXPECT_EQ(WrongCompletion(R"("response_format": {"type": "xml"})"), "body.response_format.type");
  EXPECT_EQ(WrongCompletion(R"("response_format": "json")"), "body.response_format");
}

TEST(OpenAiJson, ToolsMayOnlyBeSwitchedOff) {
  const std::string tools = R"("tools": [{"type": "function", "function": {"name": "f"}}])";
  Chat(tools + R"(, "tool_choice": "none")");
  Chat(R"("tools": [])");
  EXPECT_EQ(WrongChat(tools), "tools");
  EXPECT_EQ(WrongChat(tools + R"(, "tool_choice": "required")"), "tools");
  EXPECT_EQ(WrongChat(R"("tool_choice": "auto")"), "tool_choice");
  EXPECT_EQ(
      WrongChat(tools + R"(, "tool_choice": {"type": "function", "function": {"name": "g"}})"),
      "tool_choice");
  EXPECT_EQ(WrongChat(R"("tools": [{"type": "function"}])"), "body.tools.0.function");
  EXPECT_EQ(WrongChat(R"("tools": [5])"), "body.tools.0");
}

TEST(OpenAiJson, MessagesInAllForms) {
  const OpenAiRequest request = Chat("", R"("messages": [
      {"role": "developer",
       "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
      {"role": "user", "name": "bob"},
      {"role": "assistant", "content": null, "tool_calls": [
          {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
      {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
      {"role": "foo", "content": ""}], "add_generation_prompt": false)");
  const auto& messages = std::get<ChatPrompt>(request.generate.prompts.at(0)).messages;
  ASSERT_EQ(messages.size(), 5u);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[0].content, "a\nb");
  EXPECT_EQ(messages[1].content, "");
  EXPECT_FALSE(messages[2].content.has_value());
  EXPECT_EQ(messages[2].tool_calls.at(0).arguments, "{}");
  EXPECT_EQ(messages[3].content, "no");
  EXPECT_EQ(request.role, "foo");  // without a generation prompt the last message goes on
}

TEST(OpenAiJson, BadMessagesAreNamedByPlace) {
  const auto wrong = [](const std::string& message) {
    return WrongChat("\"n\": 1", "\"messages\": [" + message + "]");
  };
  EXPECT_EQ(wrong(R"({"content": "x"})"), "body.messages.0.role");
  EXPECT_EQ(wrong(R"({"role": "user", "content": "x"}, {"role": 5})"), "body.messages.1.role");
  EXPECT_EQ(wrong(R"({"role": "user", "content": null})"), "body.messages.0.content");
  EXPECT_EQ(wrong(R"({"role": "user", "content": 5})"), "body.messages.0.content");
  EXPECT_EQ(wrong(R"("Hi")"), "body.messages.0");
  EXPECT_EQ(wrong(R"({"role": "user", "content": {"type": "text"}})"), "messages.0.content");
  EXPECT_EQ(wrong(R"({"role": "user", "content": ["one"]})"), "messages.0.content.0");
  EXPECT_EQ(wrong(R"({"role": "user", "content": [{"type": "image_url", "image_url": {}}]})"),
            "messages.0.content.0");
  EXPECT_EQ(wrong(R"({"role": "user", "content": [{"type": "text"}]})"), "messages.0.content.0");
  EXPECT_EQ(
      wrong(
          R"({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]})"),
      "body.messages.0.tool_calls.0.function.arguments");
  EXPECT_EQ(wrong(""), "messages");
  EXPECT_EQ(WrongField(ParseChatRequest(R"({"messages": "Hi"})", {})), "body.messages");
  EXPECT_EQ(WrongField(ParseChatRequest(R"({"prompt": "Hi"})", {})), "body.messages");
}

TEST(OpenAiJson, ChatLogprobsAreABooleanAndACount) {
  EXPECT_FALSE(Chat(R"("top_logprobs": 0)").logprobs.has_value());
  EXPECT_EQ(Chat(R"("logprobs": true)").logprobs, 0);
  EXPECT_EQ(Chat(R"("logprobs": 1, "top_logprobs": 5)").logprobs, 5);
  EXPECT_EQ(WrongChat(R"("logprobs": 2)"), "body.logprobs");
  EXPECT_EQ(Chat(R"("max_tokens": 4, "max_completion_tokens": 2)").generate.request.max_tokens, 2);
}

TEST(OpenAiJson, Tokenize) {
  const auto text =
      ParseTokenizeRequest(R"({"prompt": "a", "add_special_tokens": 0, "model": "m"})");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(std::get<std::string>(text->prompt), "a");
  EXPECT_EQ(text->add_special_tokens, false);
  EXPECT_EQ(text->model, "m");
  const auto chat = ParseTokenizeRequest("{" + std::string(kHi) + ", \"return_token_strs\": true}");
  ASSERT_TRUE(chat.ok());
  EXPECT_TRUE(chat->return_token_strs);
  EXPECT_EQ(std::get<ChatPrompt>(chat->prompt).messages.size(), 1u);
  EXPECT_EQ(WrongField(ParseTokenizeRequest("{}")), "body.prompt");
  EXPECT_EQ(WrongField(ParseTokenizeRequest(R"({"prompt": ["a"]})")), "body.prompt");
  EXPECT_EQ(WrongField(ParseTokenizeRequest(R"({"prompt": null})")), "body.prompt");
}

TEST(OpenAiJson, Detokenize) {
  const auto request = ParseDetokenizeRequest(R"({"tokens": [1, "2", 3.0, true]})");
  ASSERT_TRUE(request.ok());
  EXPECT_THAT(request->tokens, ElementsAre(1, 2, 3, 1));
  EXPECT_EQ(WrongField(ParseDetokenizeRequest("{}")), "body.tokens");
  EXPECT_EQ(WrongField(ParseDetokenizeRequest(R"({"tokens": "a"})")), "body.tokens");
  EXPECT_EQ(WrongField(ParseDetokenizeRequest(R"({"tokens": ["a"]})")), "body.tokens.0");
  EXPECT_EQ(WrongField(ParseDetokenizeRequest(R"({"tokens": [1.5]})")), "body.tokens.0");
}

}  // namespace
}  // namespace engram
