// SPDX-License-Identifier: Apache-2.0
// What goes in as flags and comes out as text, JSON and HTML.
#include "tools/bench/serve/result.h"

#include <cmath>
#include <fstream>

#include "CLI/CLI.hpp"
#include "gtest/gtest.h"
#include "tools/bench/serve/compare.h"
#include "tools/bench/serve/curves.h"

namespace engram::bench {
namespace {

absl::Status Parse(const std::string& flags, Options* options) {
  CLI::App app;
  RawFlags raw;
  AddServeFlags(app, options, &raw);
  app.parse(flags, /*program_name_included=*/false);
  return ResolveOptions(raw, options);
}

TEST(OptionsTest, FlagsOfVllm) {
  Options o;
  ASSERT_TRUE(Parse("--backend openai-chat --request-rate inf --goodput ttft:200 e2el:1e3 "
                    "--metric-percentiles 50,99.9 --percentile-metrics ttft,itl --output-len 5 "
                    "--header x-a=1 --metadata engine=ours --max-concurrency 3 --ignore-eos",
                    &o).ok());
  EXPECT_EQ(o.target.port, 8000);
  EXPECT_EQ(o.target.endpoint, "/v1/chat/completions");
  EXPECT_TRUE(std::isinf(o.load.request_rate));
  EXPECT_EQ(o.report.goodput.at(1).second, 1000);
  EXPECT_EQ(o.report.percentiles, (std::vector<double>{50, 99.9}));
  EXPECT_EQ(o.dataset.random_output_len, 5);
  EXPECT_EQ(o.target.headers.at(0).first, "x-a");
  EXPECT_EQ(o.load.num_prompts, 1000);
}

TEST(OptionsTest, ADurationReplacesTheDefaultCount) {
  Options o;
  ASSERT_TRUE(Parse("--duration 5 --request-rate 2", &o).ok());
  EXPECT_EQ(o.load.num_prompts, 0);
}

TEST(OptionsTest, TheKeyComesFromAFile) {
  const std::string path = testing::TempDir() + "key";
  std::ofstream(path) << "secret\nsecond line\n";
  Options o;
  ASSERT_TRUE(Parse("--api-key-file " + path, &o).ok());
  EXPECT_EQ(o.target.headers.at(0).second, "Bearer secret");
  EXPECT_FALSE(Parse("--api-key-file " + path + "-none", &o).ok());
}

TEST(OptionsTest, WhatDoesNotFitIsRefused) {
  for (const char* flags :
       {"--goodput itl:5", "--goodput ttft", "--goodput ttft:x", "--metric-percentiles 101",
        "--percentile-metrics ttf", "--extra-body []", "--header novalue", "--duration 5",
        "--dataset-name sharegpt", "--dataset-name multi_turn --dataset-path f",
        "--ramp-up-strategy linear", "--random-output-len 0", "--request-rate 0"}) {
    Options o;
    EXPECT_FALSE(Parse(flags, &o).ok()) << flags;
  }
}

RunResult Result() {
  RunResult result;
  result.date = "20260101-000000";
  result.model = "org/<model>";
  RequestRecord good;
  good.messages = {{.at_s = 0.1, .tokens = 1}, {.at_s = 0.2, .tokens = 1}};
  good.end_s = 0.2;
  good.prompt_tokens = 3;
  good.output_tokens = 2;
  good.text = "hi";
  RequestRecord bad;
  bad.end_s = 0.3;
  bad.error_kind = "http_429";
  bad.error = "full";
  result.records = {good, bad};
  result.metrics = ComputeMetrics(result.records, 0.5, {.percentiles = {99}, .goodput = {}});
  result.client = {.loop_late_ms = Summarise({1}, {99}), .send_late_ms = Summarise({3}, {99}),
                   .cpu_cores = 0.25};
  result.queue = {{.at_s = 0, .running = 2, .waiting = 1, .cache_usage = 0.5}};
  return result;
}

Options ReportedOptions() {
  Options options;
  options.report.percentiles = {99};
  options.load.max_concurrency = 4;
  return options;
}

TEST(ResultTest, JsonHasVllmsKeys) {
  const auto json = ResultJson(Result(), ReportedOptions(), /*detailed=*/true);
  EXPECT_EQ(json["request_rate"], "inf");
  EXPECT_TRUE(json["request_goodput"].is_null());
  EXPECT_EQ(json["completed"], 1);
  EXPECT_EQ(json["failed"], 1);
  EXPECT_EQ(json["errors_by_kind"]["http_429"], 1);
  EXPECT_NEAR(json["mean_ttft_ms"].get<double>(), 100, 1e-9);
  EXPECT_NEAR(json["p99_e2el_ms"].get<double>(), 200, 1e-9);
  for (const char* key : {"date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id",
                          "num_prompts", "burstiness", "max_concurrency", "duration",
                          "total_input_tokens", "total_output_tokens", "request_throughput",
                          "output_throughput", "total_token_throughput", "input_lens",
                          "output_lens", "ttfts", "itls", "latencies", "start_times",
                          "queue_times", "generated_texts", "errors", "max_output_tokens_per_s",
                          "max_concurrent_requests", "std_tpot_ms", "median_itl_ms"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_FALSE(ResultJson(Result(), ReportedOptions(), false).contains("ttfts"));
}

TEST(ResultTest, ConsoleBlockIsVllms) {
  const std::string text = ConsoleReport(Result(), ReportedOptions());
  for (const char* line :
       {"============ Serving Benchmark Result ============\n",
        "Successful requests:                     1         \n",
        "Request throughput (req/s):              2.00      \n",
        "---------------Time to First Token----------------\n",
        "-----Time per Output Token (excl. 1st token)------\n",
        "P99 TTFT (ms):                           100.00    \n", "http_429", "e.g. full",
        "P99 send lateness (ms):                  3.00      \n",
        "CPU used (cores):                        0.25      \n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
  }
}

TEST(ResultTest, HtmlStandsAlone) {
  const std::string html = HtmlReport(Result(), ReportedOptions());
  EXPECT_EQ(html.find("http://"), std::string::npos);
  EXPECT_EQ(html.find("https://"), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("org/&lt;model&gt;"), std::string::npos);
  EXPECT_NE(html.find("2026-01-01 00:00:00 UTC"), std::string::npos);
  EXPECT_NE(html.find("waiting (server)"), std::string::npos);
  EXPECT_NE(html.find(">100</text>"), std::string::npos);  // where a distribution's axis ends
  EXPECT_EQ(html.find("nan"), std::string::npos);
}

TEST(ResultTest, ComparisonSaysWhatElseDiffers) {
  const auto a = ResultJson(Result(), ReportedOptions(), false);
  auto b = a;
  b["mean_ttft_ms"] = 150.0;
  b["seed"] = 9;
  const std::string text = ComparisonText(CompareResults(a, b));
  EXPECT_NE(text.find("+50.0 %"), std::string::npos) << text;
  EXPECT_NE(text.find("seed: 0 / 9"), std::string::npos) << text;
}

TEST(ResultTest, ALateClientIsSaid) {
  const char* warning = "The client itself was late";
  EXPECT_EQ(ConsoleReport(Result(), ReportedOptions()).find(warning), std::string::npos);
  RunResult late = Result();
  late.client.send_late_ms = Summarise({20}, {99});
  EXPECT_NE(ConsoleReport(late, ReportedOptions()).find(warning), std::string::npos);
}

TEST(ResultTest, ComparisonDrawsBothOnTheSameAxes) {
  const auto a = ResultJson(Result(), ReportedOptions(), false);
  auto b = a;
  for (auto& value : b["latency_quantiles_ms"]["ttft"]) value = value.get<double>() * 2;
  b["seed"] = 9;
  const std::string html = ComparisonHtml({"fast.json", a}, {"slow.json", b});
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_EQ(html.find("http"), html.find("http_429"));  // loads nothing
  EXPECT_NE(html.find("A: fast.json · B: slow.json"), std::string::npos);
  EXPECT_NE(html.find("Not the same load"), std::string::npos);
  // TTFT: all of A's at 100 ms, all of B's at 200 ms, which is where the axis ends.
  const std::string chart = html.substr(html.find("<title>TTFT"));
  const auto path_x = [&chart](const char* colour) {
    const std::string stroke = std::string("stroke=\"") + colour + "\" d=\"M";
    const std::size_t at = chart.find(stroke);
    return at == std::string::npos ? -1 : std::stod(chart.substr(at + stroke.size()));
  };
  EXPECT_NEAR(path_x("#0072b2"), 64 + 480 / 2, 0.1);
  EXPECT_NEAR(path_x("#d55e00"), 64 + 480, 0.1);
}

TEST(ResultTest, AFileWithoutCurvesIsComparedByItsNumbers) {
  const auto a = ResultJson(Result(), ReportedOptions(), false);
  auto b = a;
  for (const char* key :
       {"latency_quantiles_ms", "output_tokens_per_s", "open_requests", "queue"}) {
    b.erase(key);
  }
  const std::string html = ComparisonHtml({"a", a}, {"b", b});
  EXPECT_NE(html.find("B (no data)"), std::string::npos);
  EXPECT_NE(html.find("mean_ttft_ms"), std::string::npos);
}

// What `vllm bench serve --save-detailed` writes: seconds, and a list of gaps for each request.
TEST(ResultTest, SingleLatenciesOfVllmBecomeCurves) {
  const auto json = nlohmann::ordered_json::parse(R"({"ttfts":[0.3,0.1],"itls":[[0.01],[]]})");
  const ChartLine ttft = LatencyCurve(json, "ttft", "");
  ASSERT_FALSE(ttft.points.empty());
  EXPECT_NEAR(ttft.points.front().first, 100, 1e-9);
  EXPECT_NEAR(ttft.points.back().first, 299, 1e-9);  // of 100 to 300, at 99.5 %
  EXPECT_NEAR(LatencyCurve(json, "itl", "").points.front().first, 10, 1e-9);
  EXPECT_TRUE(LatencyCurve(json, "e2el", "").points.empty());
}

// Everything that --save-result and --html leave behind, read back.
TEST(ResultTest, FilesOfARun) {
  Options options = ReportedOptions();
  options.report.save_result = true;
  options.report.append_result = true;
  options.report.result_dir = testing::TempDir() + "runs";
  options.report.label = "ours";
  options.report.html = testing::TempDir() + "runs/report.html";
  options.report.metadata = {{"engine", "x"}};
  std::vector<std::string> written;
  RunResult result = Result();
  ASSERT_TRUE(SaveResult(result, options, &written).ok());
  result.model = "second";
  options.report.result_filename = "ours-infqps-concurrency4-<model>-20260101-000000.json";
  ASSERT_TRUE(SaveResult(result, options, &written).ok());
  ASSERT_EQ(written.size(), 4u);
  EXPECT_EQ(written[0], options.report.result_dir + "/" + options.report.result_filename);
  const auto last = ReadResult(written[0]);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ((*last)["model_id"], "second");  // appended, and the last one is read
  EXPECT_EQ((*last)["engine"], "x");
  EXPECT_FALSE(ReadResult(written[1]).ok());  // HTML
  EXPECT_FALSE(ReadResult(testing::TempDir() + "runs/none.json").ok());
}

TEST(QueueMetricsTest, PrometheusText) {
  QueueSample sample;
  EXPECT_TRUE(ParseQueueMetrics("# TYPE x gauge\nvllm:num_requests_running{engine=\"0\"} 3\n"
                                "vllm:num_requests_waiting{engine=\"0\"} 4.0\n"
                                "vllm:num_requests_waiting{engine=\"1\"} 1.0\n"
                                "vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n",
                                &sample));
  EXPECT_EQ(sample.running, 3);
  EXPECT_EQ(sample.waiting, 5);
  EXPECT_EQ(sample.cache_usage, 0.25);
  EXPECT_FALSE(ParseQueueMetrics("other_metric 1\n", &sample));
}

}  // namespace
}  // namespace engram::bench
