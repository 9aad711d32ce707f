// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/bench/serve/result.h"
#include "tools/bench/serve/svg_chart.h"

namespace engram::bench {
namespace {

constexpr double kMsPerSecond = 1000;
constexpr int kCdfPoints = 200;
constexpr double kCdfEnd = 99.5;  // %; the last few stretch the axis and belong in the table

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;"
    "color:#222;background:#fff}h1{font-size:1.4rem;margin:0}p{color:#555}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .9rem;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:1.5rem}"
    "svg{width:100%;height:auto;font:12px system-ui,sans-serif;fill:#222}"
    ".grid{stroke:#ddd;stroke-width:1;fill:none}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}p{color:#aaa}"
    "svg{fill:#ddd}.grid{stroke:#333}td,th{border-color:#333}}";

ChartLine Cdf(const std::string& name, std::vector<double> values_ms) {
  ChartLine line{.name = name, .points = {}};
  std::sort(values_ms.begin(), values_ms.end());
  if (values_ms.empty()) return line;
  line.points.emplace_back(values_ms.front(), 0);
  for (int i = 1; i <= kCdfPoints; ++i) {
    const double percent = kCdfEnd * i / kCdfPoints;
    line.points.emplace_back(Percentile(values_ms, percent), percent);
  }
  return line;
}

std::vector<Chart> LatencyCharts(const RunResult& result) {
  std::vector<double> ttft, itl, tpot, e2el;
  for (const RequestRecord& record : result.records) {
    if (!record.ok()) continue;
    ttft.push_back(TimeToFirstToken(record) * kMsPerSecond);
    e2el.push_back(EndToEndLatency(record) * kMsPerSecond);
    if (const auto value = TimePerOutputToken(record)) tpot.push_back(*value * kMsPerSecond);
    for (const double gap : InterTokenLatencies(record)) itl.push_back(gap * kMsPerSecond);
  }
  const auto chart = [](const char* title, std::vector<ChartLine> lines) {
    return Chart{.title = title, .x_label = "ms", .y_label = "%", .lines = std::move(lines)};
  };
  return {chart("Requests whose first token came within …", {Cdf("TTFT", std::move(ttft))}),
          chart("Gaps between tokens of at most …",
                {Cdf("ITL", std::move(itl)), Cdf("TPOT", std::move(tpot))}),
          chart("Requests that were complete within …", {Cdf("E2EL", std::move(e2el))})};
}

Chart ThroughputChart(const RunResult& result) {
  ChartLine line{.name = "output tokens/s", .points = {}};
  double second = 0;
  for (const double tokens : result.metrics.output_tokens_per_s) {
    line.points.emplace_back(second, tokens);
    second += 1;
  }
  if (!line.points.empty()) line.points.emplace_back(second, line.points.back().second);
  return {.title = "Throughput", .x_label = "s", .y_label = "tok/s", .lines = {line},
          .steps = true};
}

// What the client had open, and what the server says it ran and kept waiting.
Chart QueueChart(const RunResult& result) {
  std::vector<std::pair<double, int>> changes;
  for (const RequestRecord& record : result.records) {
    changes.emplace_back(record.sent_s, +1);
    changes.emplace_back(record.end_s, -1);
  }
  std::sort(changes.begin(), changes.end());
  ChartLine open{.name = "open (client)", .points = {}};
  int now = 0;
  for (const auto& [time, change] : changes) {
    now += change;
    // A tenth of a second is finer than the picture.
    if (!open.points.empty() && time - open.points.back().first < 0.1) {
      open.points.back().second = std::max<double>(open.points.back().second, now);
    } else {
      open.points.emplace_back(time, now);
    }
  }
  ChartLine running{.name = "running (server)", .points = {}};
  ChartLine waiting{.name = "waiting (server)", .points = {}};
  for (const QueueSample& sample : result.queue) {
    running.points.emplace_back(sample.at_s, sample.running);
    waiting.points.emplace_back(sample.at_s, sample.waiting);
  }
  Chart chart{.title = "Requests under way", .x_label = "s", .y_label = "", .lines = {open},
              .steps = true};
  if (!result.queue.empty()) chart.lines.insert(chart.lines.end(), {running, waiting});
  return chart;
}

std::string Row(const std::string& name, const std::string& value) {
  return absl::StrCat("<tr><td>", EscapeMarkup(name), "</td><td>", EscapeMarkup(value),
                      "</td></tr>\n");
}

std::string SummaryTable(const RunResult& result) {
  const BenchMetrics& m = result.metrics;
  const auto number = [](double value) { return absl::StrFormat("%.2f", value); };
  std::string out = "<table>\n";
  out += Row("Complete requests", absl::StrCat(m.completed));
  out += Row("Failed requests", absl::StrCat(m.failed));
  for (const auto& [kind, count] : m.errors_by_kind) out += Row("  " + kind, absl::StrCat(count));
  out += Row("Duration (s)", number(m.duration_s));
  out += Row("Requests/s", number(m.request_throughput));
  if (m.request_goodput) out += Row("Goodput (requests/s)", number(*m.request_goodput));
  out += Row("Input tokens", absl::StrCat(m.total_input_tokens));
  out += Row("Output tokens", absl::StrCat(m.total_output_tokens));
  out += Row("Output tokens/s", number(m.output_throughput));
  out += Row("Peak requests at once", absl::StrCat(m.max_concurrent_requests));
  out += Row("Client's own lag, p99 (ms)", number(result.client_lag_ms.percentiles[0].second));
  return out + "</table>\n";
}

std::string LatencyTable(const RunResult& result, const Options& options) {
  std::string out = "<table>\n<tr><th>ms</th><th>mean</th><th>median</th><th>std</th>";
  for (const double p : options.report.percentiles) {
    absl::StrAppend(&out, "<th>p", PercentileName(p), "</th>");
  }
  out += "</tr>\n";
  for (const std::string& metric : options.report.percentile_metrics) {
    const Distribution& values = result.metrics.latencies_ms.at(metric);
    absl::StrAppendFormat(&out, "<tr><td>%s</td><td>%.2f</td><td>%.2f</td><td>%.2f</td>",
                          NameOf(metric).brief, values.mean, values.median, values.std);
    for (const auto& [percentile, value] : values.percentiles) {
      absl::StrAppendFormat(&out, "<td>%.2f</td>", value);
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

}  // namespace

std::string HtmlReport(const RunResult& result, const Options& options) {
  const std::string rate = std::isfinite(options.load.request_rate)
                               ? absl::StrCat(options.load.request_rate, " requests/s")
                               : std::string("no rate");
  const std::string limit =
      options.load.max_concurrency > 0
          ? absl::StrCat("at most ", options.load.max_concurrency, " at once")
          : std::string("no limit at once");
  const std::string title = absl::StrCat(result.model, " over ", options.target.backend);
  std::string out = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>",
      EscapeMarkup(title), "</title>\n<style>", kStyle, "</style></head><body>\n<h1>",
      EscapeMarkup(title), "</h1>\n<p>",
      EscapeMarkup(absl::StrCat(result.date, " UTC · dataset ", options.dataset.name, " · ", rate,
                                " · ", limit, " · seed ", options.load.seed)),
      "</p>\n");
  out += SummaryTable(result);
  out += LatencyTable(result, options);
  out += "<div class=\"charts\">\n";
  for (const Chart& chart : LatencyCharts(result)) out += SvgChart(chart);
  out += SvgChart(ThroughputChart(result));
  out += SvgChart(QueueChart(result));
  return out + "</div>\n</body></html>\n";
}

}  // namespace engram::bench
