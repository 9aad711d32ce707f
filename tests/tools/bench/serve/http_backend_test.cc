// SPDX-License-Identifier: Apache-2.0
// The driver and the HTTP backend against a server that plays a script: what is measured is what
// was played, and whatever goes wrong has its name.
#include "tools/bench/serve/http_backend.h"

#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "tests/tools/bench/serve/fake_http_server.h"
#include "tests/tools/bench/serve/openai_script.h"
#include "tools/bench/serve/driver.h"
#include "tools/bench/serve/metrics.h"

namespace engram::bench {
namespace {

constexpr int kTokens = 5;

Script GoodScript(int first_ms, int gap_ms) {
  return StreamScript({.prompt_tokens = 2, .tokens = kTokens, .first_ms = first_ms,
                       .gap_ms = gap_ms});
}

class OnePrompt final : public Dataset {
 public:
  Conversation Get(std::int64_t) const override {
    RequestSpec request;
    request.token_ids = {1, 2};
    request.output_tokens = kTokens;
    return {.turns = {request}};
  }
  std::int64_t size() const override { return 0; }
};

std::vector<RequestRecord> Drive(int port, LoadOptions load, RunClock* clock,
                                 double timeout_s = 60) {
  boost::asio::io_context io(1);
  Options options;
  options.target.endpoint = "/v1/completions";
  options.target.request_timeout_s = timeout_s;
  options.sampling.ignore_eos = true;
  const HttpUrl url{.host = "127.0.0.1", .port = std::to_string(port), .path = ""};
  auto backend = HttpBackend::Create(io, *clock, options, url, "m");
  EXPECT_TRUE(backend.ok());
  const OnePrompt dataset;
  Driver driver(io, *clock, **backend, dataset,
                {.load = load, .request_id_prefix = "t-", .first_index = 0, .report_every_s = 1,
                 .report = nullptr});
  driver.Run();
  return driver.TakeRecords();
}

LoadOptions Closed(int requests, int concurrency) {
  LoadOptions load;
  load.num_prompts = requests;
  load.max_concurrency = concurrency;
  return load;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return Percentile(values, 50);
}

// Compared with the times at which the server really sent, which sleep no shorter than the script
// says: a busy machine moves both.
TEST(HttpBackendTest, MeasuresTheScriptWithinTwoMilliseconds) {
  FakeHttpServer server(GoodScript(40, 15));
  RunClock clock;
  const auto records = Drive(server.port(), Closed(15, 1), &clock);
  const auto played = server.played();
  ASSERT_EQ(records.size(), 15u);
  ASSERT_EQ(played.size(), 15u);
  std::vector<double> first_errors, gap_errors;
  for (std::size_t i = 0; i < records.size(); ++i) {
    ASSERT_TRUE(records[i].ok()) << records[i].error;
    ASSERT_EQ(records[i].messages.size(), played[i].sent.size());
    const auto sent = [&](std::size_t part) { return clock.Seconds(played[i].sent[part]); };
    EXPECT_GE(TimeToFirstToken(records[i]), 0.040);
    first_errors.push_back(TimeToFirstToken(records[i]) -
                           (sent(0) - clock.Seconds(played[i].received)));
    for (std::size_t part = 1; part < played[i].sent.size(); ++part) {
      gap_errors.push_back(InterTokenLatencies(records[i])[part - 1] -
                           (sent(part) - sent(part - 1)));
    }
  }
  EXPECT_LT(std::abs(Median(first_errors)), 0.002);
  EXPECT_LT(std::abs(Median(gap_errors)), 0.002);
}

TEST(HttpBackendTest, KeepsConnectionsAndNamesRequests) {
  FakeHttpServer server(GoodScript(1, 0));
  RunClock clock;
  Drive(server.port(), Closed(12, 3), &clock);
  EXPECT_LE(server.connections(), 3);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 12u);
  EXPECT_NE(requests[0].find("x-request-id: t-"), std::string::npos);
  EXPECT_NE(requests[0].find("\"prompt\":[1,2]"), std::string::npos);
  EXPECT_NE(requests[0].find("\"include_usage\":true"), std::string::npos);
}

TEST(HttpBackendTest, ClosedLoopNeverExceedsItsConcurrency) {
  FakeHttpServer server(GoodScript(5, 1));
  RunClock clock;
  const auto records = Drive(server.port(), Closed(40, 4), &clock);
  const BenchMetrics metrics = ComputeMetrics(records, 1, {.percentiles = {}, .goodput = {}});
  EXPECT_EQ(metrics.completed, 40);
  EXPECT_EQ(metrics.max_concurrent_requests, 4);
}

// The server takes 50 ms for what arrives every 10 ms, one at a time: a client that counted from
// the moment it sent would report 50 ms for each.
TEST(HttpBackendTest, AStalledServerShowsInTheLatencies) {
  FakeHttpServer server(GoodScript(50, 0));
  RunClock clock;
  LoadOptions load = Closed(20, 1);
  load.request_rate = 100;
  const auto records = Drive(server.port(), load, &clock);
  ASSERT_EQ(records.size(), 20u);
  EXPECT_GT(TimeToFirstToken(records.back()), 0.5);
  EXPECT_GT(records.back().sent_s - records.back().scheduled_s, 0.4);
}

std::string KindOf(const Script& script, double timeout_s = 60) {
  FakeHttpServer server(script);
  RunClock clock;
  const auto records = Drive(server.port(), Closed(2, 1), &clock, timeout_s);
  EXPECT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].error_kind, records[1].error_kind);
  return records[0].error_kind;
}

TEST(HttpBackendTest, FailuresHaveKinds) {
  const std::string begun = kStreamHead + TokenEvent(0, false);
  std::string rest;
  for (int i = 1; i < kTokens; ++i) rest += TokenEvent(i, i + 1 == kTokens);
  const std::string no_done = UsageEvent(2, 5) + kStreamEnd;
  const std::string done = DoneEvent() + kStreamEnd;
  EXPECT_EQ(KindOf({.parts = {{0, begun}}, .close = true}), "lost_stream");
  EXPECT_EQ(KindOf({.parts = {{0, begun + rest + no_done}}}), "missing_done");
  EXPECT_EQ(KindOf({.parts = {{0, begun + rest + UsageEvent(2, 4) + done}}}), "usage_mismatch");
  EXPECT_EQ(KindOf({.parts = {{0, kStreamHead + TokenEvent(0, true) + UsageEvent(2, 1) + done}}}),
            "short_stream");
  const std::string full = JsonAnswer("429 Too Many Requests", "{}");
  EXPECT_EQ(KindOf({.parts = {{0, full}}}), "http_429");
  EXPECT_EQ(KindOf({.parts = {{0, "SMTP\r\n\r\n"}}, .close = true}), "bad_stream");
  EXPECT_EQ(KindOf({.parts = {{0, ""}}, .close = true}), "lost_stream");
  EXPECT_EQ(KindOf({.parts = {{0, begun}, {400, ""}}, .close = true}, 0.1), "timeout");
}

TEST(HttpBackendTest, ReadsHowLongARefusalAsksToWait) {
  const auto retry_after = [](const std::string& header) {
    FakeHttpServer server(
        Script{.parts = {{0, JsonAnswer("429 Too Many Requests", "{}", header)}}});
    RunClock clock;
    return Drive(server.port(), Closed(1, 1), &clock).at(0).retry_after_s;
  };
  EXPECT_EQ(retry_after("Retry-After: 2\r\n"), 2);
  EXPECT_EQ(retry_after(""), std::nullopt);
  for (const char* unread : {"Wed, 21 Oct 2026 07:28:00 GMT", "-1", "nan", "soon"}) {
    EXPECT_EQ(retry_after(std::string("Retry-After: ") + unread + "\r\n"), std::nullopt);
  }
}

// Against a server that refuses at once a closed loop must not become a busy one: two slots, 0.2 s
// between two tries of each.
TEST(HttpBackendTest, AClosedLoopLeavesARefusingServerAlone) {
  FakeHttpServer server(Script{
      .parts = {{0, JsonAnswer("429 Too Many Requests", "{}", "Retry-After: 0.2\r\n")}}});
  RunClock clock;
  LoadOptions load = Closed(0, 2);
  load.duration_s = 0.9;
  const auto records = Drive(server.port(), load, &clock);
  EXPECT_GE(records.size(), 4u);
  EXPECT_LE(records.size(), 10u);  // at 0, 0.2, 0.4, 0.6 and 0.8 s
  const BenchMetrics metrics = ComputeMetrics(records, 1, {.percentiles = {}, .goodput = {}});
  EXPECT_EQ(metrics.completed, 0);
  EXPECT_EQ(metrics.errors_by_kind,
            (std::map<std::string, int>{{"http_429", static_cast<int>(records.size())}}));
}

TEST(HttpBackendTest, NobodyListens) {
  int port = 0;
  { port = FakeHttpServer(Script()).port(); }
  RunClock clock;
  const auto records = Drive(port, Closed(3, 1), &clock);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].error_kind, "connect_failed");
}

TEST(HttpBackendTest, HoldsAThousandStreams) {
  FakeHttpServer server(GoodScript(1500, 10));
  RunClock clock;
  LoadOptions load;
  load.num_prompts = 1000;
  const auto records = Drive(server.port(), load, &clock);
  const BenchMetrics metrics = ComputeMetrics(records, 1, {.percentiles = {}, .goodput = {}});
  EXPECT_EQ(metrics.completed, 1000);
  EXPECT_EQ(metrics.max_concurrent_requests, 1000);
}

}  // namespace
}  // namespace engram::bench
