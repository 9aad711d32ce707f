// SPDX-License-Identifier: Apache-2.0
// Rendered conversations against transformers' own, and what the templates refuse.
#include "server/text/chat_template.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/field_error.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "tests/server/text/vectors.h"

namespace engram {
namespace {

using nlohmann::json;
using testing_support::Ids;

struct Checkpoint {
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ChatTemplate> chat;
};

Checkpoint Load(const std::string& directory) {
  auto tokenizer = Tokenizer::Load(directory);
  EXPECT_TRUE(tokenizer.ok()) << Message(tokenizer.status());
  auto chat = ChatTemplate::Recognise((*tokenizer)->chat_template(), **tokenizer);
  EXPECT_TRUE(chat.ok()) << Message(chat.status());
  return {*std::move(tokenizer), *std::move(chat)};
}

// Loading DeepSeek-V3's tokenizer takes half a second: once for all tests.
class ChatTemplateTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    deepseek_ = new Checkpoint(Load("tests/testdata/tokenizer_deepseek_v3"));
    demo_ = new Checkpoint(Load("models/engram-demo"));
    tiny_ = new Checkpoint(Load("tests/testdata/tokenizer_tiny"));
  }
  static void TearDownTestSuite() {
    delete deepseek_;
    delete demo_;
    delete tiny_;
  }

  static const Checkpoint* deepseek_;
  static const Checkpoint* demo_;
  static const Checkpoint* tiny_;
};
const Checkpoint* ChatTemplateTest::deepseek_ = nullptr;
const Checkpoint* ChatTemplateTest::demo_ = nullptr;
const Checkpoint* ChatTemplateTest::tiny_ = nullptr;

// Conversations that ChatMessage cannot hold, since the API's types refuse them first.
bool IsTyped(const json& messages) {
  for (const json& message : messages) {
    if (message["content"].is_array()) return false;
    for (const json& call : message.value("tool_calls", json::array())) {
      if (!call["function"]["arguments"].is_string()) return false;
    }
  }
  return true;
}

std::vector<ChatMessage> Messages(const json& messages) {
  std::vector<ChatMessage> out;
  for (const json& message : messages) {
    ChatMessage& added = out.emplace_back();
    added.role = message["role"].get<std::string>();
    if (!message["content"].is_null()) added.content = message["content"].get<std::string>();
    for (const json& call : message.value("tool_calls", json::array())) {
      added.tool_calls.push_back({call["type"].get<std::string>(),
                                  call["function"]["name"].get<std::string>(),
                                  call["function"]["arguments"].get<std::string>()});
    }
  }
  return out;
}

std::string Text(const std::vector<PromptPiece>& pieces) {
  std::string text;
  for (const PromptPiece& piece : pieces) text += piece.text;
  return text;
}

std::string ClientText(const std::vector<PromptPiece>& pieces) {
  std::string text;
  for (const PromptPiece& piece : pieces) text += piece.from_client ? piece.text : "";
  return text;
}

TEST_F(ChatTemplateTest, DeepSeekV3RendersAsTransformers) {
  const Checkpoint& checkpoint = *deepseek_;
  int rendered = 0;
  int untyped = 0;
  for (const json& vector : testing_support::TextVectors("chat_deepseek_v3.jsonl", 31)) {
    const auto name = vector["name"].get<std::string>();
    if (!IsTyped(vector["messages"])) {
      EXPECT_TRUE(vector.contains("error")) << name;
      ++untyped;
      continue;
    }
    const auto pieces = checkpoint.chat->Render(Messages(vector["messages"]),
                                                {vector["add_generation_prompt"].get<bool>(),
                                                 vector["continue_final_message"].get<bool>()});
    ASSERT_TRUE(pieces.ok()) << name << ": " << Message(pieces.status());
    EXPECT_EQ(Text(*pieces), vector["expected"].get<std::string>()) << name;
    const auto all_parsed = checkpoint.tokenizer->Encode(Text(*pieces), SpecialTokens::kParse);
    const auto ids = EncodePieces(*checkpoint.tokenizer, *pieces);
    EXPECT_EQ(*all_parsed, vector["ids"].get<Ids>()) << name;
    const bool has_marker = name.starts_with("special_text");
    EXPECT_EQ(*ids == vector["ids"].get<Ids>(), !has_marker) << name;
    ++rendered;
  }
  EXPECT_EQ(rendered, 29);
  EXPECT_EQ(untyped, 2);
}

TEST_F(ChatTemplateTest, TinyRendersAsTransformers) {
  const Checkpoint& checkpoint = *tiny_;
  const auto vectors =
      json::parse(testing_support::ReadFile("tests/testdata/modules/tokenizer_tiny_vectors.json"));
  EXPECT_EQ(vectors["chat"].size(), 2u);
  for (const json& vector : vectors["chat"]) {
    const auto pieces = checkpoint.chat->Render(Messages(vector["messages"]), {});
    ASSERT_TRUE(pieces.ok()) << Message(pieces.status());
    EXPECT_EQ(Text(*pieces), vector["rendered"].get<std::string>());
    EXPECT_EQ(*EncodePieces(*checkpoint.tokenizer, *pieces), vector["ids"].get<Ids>());
  }
}

TEST_F(ChatTemplateTest, TheDemoModelRendersRolesInPlace) {
  const Checkpoint& checkpoint = *demo_;
  const std::vector<ChatMessage> messages = {{"system", "S", {}},    {"user", "U", {}},
                                             {"assistant", "A", {}}, {"critic", "C", {}},
                                             {"user", "U2", {}},     {"system", "S2", {}}};
  const auto open = checkpoint.chat->Render(messages, {});
  ASSERT_TRUE(open.ok());
  EXPECT_EQ(Text(*open),
            "<｜begin▁of▁sentence｜>S<｜User｜>U<｜Assistant｜>A<｜end▁of▁sentence｜>"
            "<｜User｜>U2S2<｜Assistant｜>");
  EXPECT_EQ(ClientText(*open), "SUAU2S2");
  const auto closed = checkpoint.chat->Render(messages, {.add_generation_prompt = false});
  EXPECT_TRUE(Text(*closed).ends_with("U2S2"));
}

// Everything the client wrote, tool calls included, is marked as the client's.
TEST_F(ChatTemplateTest, DeepSeekV3MarksWhatTheClientWrote) {
  const Checkpoint& checkpoint = *deepseek_;
  const auto pieces = checkpoint.chat->Render({{"system", "S1 ", {}},
                                               {"user", "U ", {}},
                                               {"assistant", {}, {{"type ", "name ", "args "}}},
                                               {"tool", "T ", {}},
                                               {"system", "S2 ", {}}},
                                              {});
  ASSERT_TRUE(pieces.ok()) << Message(pieces.status());
  EXPECT_EQ(ClientText(*pieces), "S1 S2 U type name args T ");
}

TEST_F(ChatTemplateTest, ContinuesTheLastMessage) {
  const ChatOptions options = {.add_generation_prompt = false, .continue_final_message = true};
  for (const Checkpoint* checkpoint : {deepseek_, demo_}) {
    const auto render = [&](std::vector<ChatMessage> messages) {
      return Text(*checkpoint->chat->Render(messages, options));
    };
    EXPECT_EQ(render({{"user", "u", {}}, {"assistant", "a ", {}}}),
              "<｜begin▁of▁sentence｜><｜User｜>u<｜Assistant｜>a ");
    EXPECT_EQ(render({{"user", "u", {}}, {"assistant", "", {}}}),
              "<｜begin▁of▁sentence｜><｜User｜>u<｜Assistant｜>");
    EXPECT_EQ(render({{"user", "u", {}}}), "<｜begin▁of▁sentence｜><｜User｜>u");
  }
}

TEST_F(ChatTemplateTest, WhatCannotBeContinuedIsAnError) {
  const Checkpoint& checkpoint = *deepseek_;
  const auto refused = [&](const std::vector<ChatMessage>& messages, bool add_generation_prompt) {
    const auto pieces = checkpoint.chat->Render(messages, {add_generation_prompt, true});
    EXPECT_EQ(pieces.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(FieldOf(pieces.status()), "continue_final_message");
    return Message(pieces.status());
  };
  EXPECT_NE(refused({{"user", "u", {}}}, true).find("add_generation_prompt"), std::string::npos);
  EXPECT_EQ(refused({}, false), "there is no message to continue");
  EXPECT_EQ(refused({{"assistant", {}, {}}}, false), "the last message has no content to continue");
  EXPECT_NE(refused({{"user", "u", {}}, {"system", "s", {}}}, false).find("role 'system'"),
            std::string::npos);
}

TEST_F(ChatTemplateTest, MissingContentNamesTheMessage) {
  for (const Checkpoint* checkpoint : {deepseek_, demo_}) {
    for (const char* role : {"user", "system"}) {
      const auto pieces = checkpoint->chat->Render({{"user", "u", {}}, {role, {}, {}}}, {});
      EXPECT_EQ(pieces.status().code(), absl::StatusCode::kInvalidArgument) << role;
      EXPECT_EQ(FieldOf(pieces.status()), "messages[1].content") << role;
    }
    // A role that the template does not write may lack what it likes.
    EXPECT_TRUE(checkpoint->chat->Render({{"critic", {}, {}}}, {}).ok());
  }
  EXPECT_FALSE(demo_->chat->Render({{"assistant", {}, {{"function", "f", "{}"}}}}, {}).ok());
}

TEST_F(ChatTemplateTest, AnUnknownTemplateIsAnErrorThatShowsIt) {
  const Checkpoint& checkpoint = *tiny_;
  std::string changed = checkpoint.tokenizer->chat_template();
  changed.insert(changed.find("User"), "u");
  for (const std::string& source : {changed, std::string("{{ messages }}"), std::string(" ")}) {
    const auto chat = ChatTemplate::Recognise(source, *checkpoint.tokenizer);
    EXPECT_EQ(chat.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_TRUE(Message(chat.status()).starts_with("tokenizer_config.json: chat_template: "));
    EXPECT_NE(Message(chat.status()).find("\"" + source.substr(0, 70)), std::string::npos)
        << Message(chat.status());
  }
}

// Jinja reads any line end as \n and drops one at the end; so do we, and nothing more.
TEST_F(ChatTemplateTest, LineEndsDoNotMatter) {
  const Checkpoint& checkpoint = *deepseek_;
  std::string source = checkpoint.tokenizer->chat_template();
  for (std::size_t at = 0; (at = source.find('\n', at)) != std::string::npos; at += 2) {
    source.replace(at, 1, "\r\n");
  }
  EXPECT_TRUE(ChatTemplate::Recognise(source + "\n", *checkpoint.tokenizer).ok());
  EXPECT_FALSE(ChatTemplate::Recognise(source + "\n\n", *checkpoint.tokenizer).ok());
  EXPECT_FALSE(ChatTemplate::Recognise(" " + source, *checkpoint.tokenizer).ok());
}

TEST_F(ChatTemplateTest, WithoutATemplateRenderingFails) {
  const Checkpoint& checkpoint = *tiny_;
  const auto none = ChatTemplate::Recognise("", *checkpoint.tokenizer);
  ASSERT_TRUE(none.ok());
  const auto pieces = (*none)->Render({{"user", "u", {}}}, {});
  EXPECT_EQ(pieces.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Message(pieces.status()).find("no chat template"), std::string::npos);
}

}  // namespace
}  // namespace engram
