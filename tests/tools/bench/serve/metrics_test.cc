// SPDX-License-Identifier: Apache-2.0
// The report's numbers on timelines written by hand.
#include "tools/bench/serve/metrics.h"

#include "gtest/gtest.h"

namespace engram::bench {
namespace {

// Scheduled at `at_s`, sent 10 ms late, one token at +100 ms, then one every 50 ms.
RequestRecord Steady(double at_s, int tokens) {
  RequestRecord record;
  record.scheduled_s = at_s;
  record.sent_s = at_s + 0.01;
  for (int i = 0; i < tokens; ++i) {
    record.messages.push_back({.at_s = at_s + 0.1 + 0.05 * i, .tokens = 1});
  }
  record.end_s = record.messages.back().at_s;
  record.prompt_tokens = 7;
  record.output_tokens = tokens;
  return record;
}

TEST(MetricsTest, LatenciesCountFromTheScheduledTime) {
  const RequestRecord record = Steady(2, 5);
  EXPECT_NEAR(TimeToFirstToken(record), 0.1, 1e-12);
  EXPECT_NEAR(EndToEndLatency(record), 0.3, 1e-12);
  EXPECT_NEAR(TimePerOutputToken(record).value(), 0.05, 1e-12);
  const BenchMetrics metrics = ComputeMetrics({record}, 3, {.percentiles = {50}, .goodput = {}});
  EXPECT_NEAR(metrics.latencies_ms.at("client_queue_time").mean, 10, 1e-9);
  EXPECT_NEAR(metrics.latencies_ms.at("itl").percentiles[0].second, 50, 1e-9);
}

TEST(MetricsTest, AMessageOfSeveralTokensIsSeveralGaps) {
  RequestRecord record = Steady(0, 1);
  record.messages.push_back({.at_s = 0.4, .tokens = 3});
  record.end_s = 0.4;
  record.output_tokens = 4;
  const std::vector<double> gaps = InterTokenLatencies(record);
  ASSERT_EQ(gaps.size(), 3u);
  for (const double gap : gaps) EXPECT_NEAR(gap, 0.1, 1e-12);
  EXPECT_NEAR(TimePerOutputToken(record).value(), 0.1, 1e-12);
}

TEST(MetricsTest, OneTokenHasNoTimePerOutputToken) {
  EXPECT_FALSE(TimePerOutputToken(Steady(0, 1)).has_value());
  EXPECT_TRUE(InterTokenLatencies(Steady(0, 1)).empty());
}

TEST(MetricsTest, PercentilesAreThoseOfNumpy) {
  // numpy.percentile([1, 2, 3, 10], [25, 50, 90, 100]), numpy.std
  const Distribution d = Summarise({10, 3, 1, 2}, {25, 50, 90, 100});
  EXPECT_NEAR(d.percentiles[0].second, 1.75, 1e-12);
  EXPECT_NEAR(d.percentiles[1].second, 2.5, 1e-12);
  EXPECT_NEAR(d.percentiles[2].second, 7.9, 1e-12);
  EXPECT_NEAR(d.percentiles[3].second, 10, 1e-12);
  EXPECT_NEAR(d.mean, 4, 1e-12);
  EXPECT_NEAR(d.std, 3.5355339059327378, 1e-12);
  EXPECT_EQ(Summarise({}, {99}).percentiles[0].second, 0);
  ASSERT_EQ(d.quantiles.size(), 201u);
  EXPECT_EQ(d.quantiles[0], 1);
  EXPECT_EQ(d.quantiles[200], 10);
  EXPECT_NEAR(d.quantiles[180], 7.9, 1e-12);  // in steps of half a per cent
  EXPECT_TRUE(Summarise({}, {}).quantiles.empty());
}

TEST(MetricsTest, FailedRequestsCountNowhereButAmongTheErrors) {
  RequestRecord failed = Steady(0, 40);
  failed.error_kind = "lost_stream";
  const BenchMetrics m =
      ComputeMetrics({Steady(0, 4), failed, Steady(1, 6)}, 2, {.percentiles = {99}, .goodput = {}});
  EXPECT_EQ(m.completed, 2);
  EXPECT_EQ(m.failed, 1);
  EXPECT_EQ(m.errors_by_kind.at("lost_stream"), 1);
  EXPECT_EQ(m.total_output_tokens, 10);
  EXPECT_EQ(m.total_input_tokens, 14);
  EXPECT_NEAR(m.request_throughput, 1, 1e-12);
  EXPECT_NEAR(m.output_throughput, 5, 1e-12);
  EXPECT_NEAR(m.total_token_throughput, 12, 1e-12);
  EXPECT_FALSE(m.request_goodput.has_value());
}

TEST(MetricsTest, GoodputNeedsEveryObjective) {
  // TTFT 100 ms, TPOT 50 ms, E2EL 250 ms and 1050 ms.
  const std::vector<RequestRecord> records = {Steady(0, 4), Steady(0, 20)};
  const auto goodput = [&](std::vector<std::pair<std::string, double>> limits) {
    return ComputeMetrics(records, 2, {.percentiles = {}, .goodput = std::move(limits)})
        .request_goodput.value();
  };
  EXPECT_NEAR(goodput({{"ttft", 101}, {"tpot", 51}}), 1, 1e-12);
  EXPECT_NEAR(goodput({{"ttft", 101}, {"e2el", 500}}), 0.5, 1e-12);
  EXPECT_NEAR(goodput({{"ttft", 99}, {"e2el", 5000}}), 0, 1e-12);
}

TEST(MetricsTest, PeaksAreTrueOverlapsAndWholeSeconds) {
  // [0.01, 0.25], [0.21, 0.45] and [1.01, 1.25].
  const BenchMetrics m = ComputeMetrics({Steady(0, 4), Steady(0.2, 4), Steady(1, 4)}, 2,
                                        {.percentiles = {}, .goodput = {}});
  EXPECT_EQ(m.max_concurrent_requests, 2);
  // Thinned to tenths of a second, but for the end.
  const std::vector<std::pair<double, int>> open = {{0.01, 1}, {0.21, 2}, {0.45, 0}, {1.01, 1}};
  ASSERT_EQ(m.open_requests.size(), 6u);
  for (std::size_t i = 0; i < open.size(); ++i) {
    EXPECT_NEAR(m.open_requests[i].first, open[i].first, 1e-9) << i;
    EXPECT_EQ(m.open_requests[i].second, open[i].second) << i;
  }
  EXPECT_EQ(m.open_requests.back().second, 0);
  EXPECT_EQ(m.max_output_tokens_per_s, 8);
  ASSERT_EQ(m.output_tokens_per_s.size(), 2u);
  EXPECT_EQ(m.output_tokens_per_s[1], 4);
}

}  // namespace
}  // namespace engram::bench
