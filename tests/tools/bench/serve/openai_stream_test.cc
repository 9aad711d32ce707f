// SPDX-License-Identifier: Apache-2.0
// Streams as servers send them, well and badly, and what the checker makes of each.
#include "tools/bench/serve/openai_stream.h"

#include "gtest/gtest.h"

namespace engram::bench {
namespace {

std::string Event(const std::string& data) { return "data: " + data + "\n\n"; }
std::string Token(const std::string& id, const std::string& ids,
                  const std::string& finish = "null") {
  return Event("{\"id\":\"" + id + "\",\"choices\":[{\"index\":0,\"text\":\"x\",\"token_ids\":" +
               ids + ",\"finish_reason\":" + finish + "}]}");
}
std::string Usage(int prompt, int completion) {
  return Event("{\"id\":\"a\",\"choices\":[],\"usage\":{\"prompt_tokens\":" +
               std::to_string(prompt) +
               ",\"completion_tokens\":" + std::to_string(completion) + "}}");
}
const char kDone[] = "data: [DONE]\n\n";

RequestRecord Read(const std::string& stream, std::size_t piece = 1 << 20) {
  RequestRecord record;
  AnswerChecker checker({.prompt_tokens = 5, .output_tokens = 3, .exact_length = true,
                         .done_marker = true},
                        &record);
  OpenAiStream events(&checker);
  double at_s = 1;
  for (std::size_t i = 0; i < stream.size(); i += piece) {
    events.Feed(at_s, std::string_view(stream).substr(i, piece));
    at_s += 1e-3;
  }
  checker.Close(at_s);
  return record;
}

const std::string kGood =
    Token("a", "[1]") + Token("a", "[2,3]", "\"length\"") + Usage(5, 3) + kDone;

TEST(OpenAiStreamTest, AGoodStreamPasses) {
  const RequestRecord record = Read(kGood);
  EXPECT_EQ(record.error_kind, "") << record.error;
  ASSERT_EQ(record.messages.size(), 2u);
  EXPECT_EQ(record.messages[1].tokens, 2);
  EXPECT_EQ(record.output_tokens, 3);
  EXPECT_EQ(record.prompt_tokens, 5);
  EXPECT_EQ(record.text, "xx");
}

TEST(OpenAiStreamTest, TheNetworkMayCutAnywhere) {
  for (const std::size_t piece : {1u, 2u, 7u, 64u}) {
    const RequestRecord record = Read(": keep-alive\r\n\r\n" + kGood, piece);
    EXPECT_EQ(record.error_kind, "") << piece << record.error;
    EXPECT_EQ(record.messages.size(), 2u) << piece;
  }
}

TEST(OpenAiStreamTest, BadStreamsAreErrorsByKind) {
  const std::string end = Usage(5, 3) + kDone;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {Token("a", "[1]"), "lost_stream"},
      {"", "lost_stream"},
      {Token("a", "[1,2,3]", "\"length\"") + Usage(5, 3), "missing_done"},
      {Token("a", "[1,2,3]", "\"length\"") + kDone, "missing_usage"},
      {Token("a", "[1,2]", "\"length\"") + end, "usage_mismatch"},
      {Token("a", "[1,2,3]", "\"length\"") + Usage(6, 3) + kDone, "prompt_mismatch"},
      {Token("a", "[1,2]", "\"stop\"") + Usage(5, 2) + kDone, "short_stream"},
      {Token("a", "[1]") + Token("b", "[2,3]", "\"length\"") + end, "id_changed"},
      {Token("a", "[1,2,3]", "\"abort\"") + end, "aborted"},
      {Event("{\"error\":{\"message\":\"broken\"}}") + kDone, "stream_error"},
      {Event("{nonsense") + end, "bad_stream"},
      {kGood + Token("a", "[1]"), "bad_stream"},
  };
  for (const auto& [stream, kind] : cases) EXPECT_EQ(Read(stream).error_kind, kind) << stream;
  EXPECT_EQ(Read(cases[9].first).error, "broken");
}

// The chunk that opens a chat answer has a role and no token: it must not pass for the first one.
TEST(OpenAiStreamTest, TheRoleChunkIsNoToken) {
  const std::string chat =
      Event("{\"id\":\"a\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}") +
      Event("{\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"hi\"},"
            "\"finish_reason\":\"length\"}]}") +
      Usage(5, 3) + kDone;
  const RequestRecord record = Read(chat);
  EXPECT_EQ(record.error_kind, "") << record.error;  // without ids, one message may be many tokens
  ASSERT_EQ(record.messages.size(), 1u);
  EXPECT_EQ(record.text, "hi");
}

TEST(OpenAiStreamTest, ErrorBodiesInBothShapes) {
  EXPECT_EQ(ErrorMessage("{\"error\":{\"message\":\"full\"}}"), "full");
  EXPECT_EQ(ErrorMessage("{\"error\":\"full\"}"), "full");
  EXPECT_EQ(ErrorMessage("<html>"), "<html>");
}

}  // namespace
}  // namespace engram::bench
