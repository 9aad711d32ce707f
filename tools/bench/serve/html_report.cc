// SPDX-License-Identifier: Apache-2.0
// The HTML form of one run's result.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/bench/serve/curves.h"
#include "tools/bench/serve/html_page.h"
#include "tools/bench/serve/result.h"

namespace engram::bench {
namespace {

std::string Number(double value) { return absl::StrFormat("%.2f", value); }

std::string SummaryTable(const RunResult& result) {
  const BenchMetrics& m = result.metrics;
  std::string out = "<table>\n";
  const auto row = [&out](const std::string& name, const std::string& value) {
    out += TableRow(name, {value});
  };
  row("Complete requests", absl::StrCat(m.completed));
  row("Failed requests", absl::StrCat(m.failed));
  for (const auto& [kind, count] : m.errors_by_kind) row("– " + kind, absl::StrCat(count));
  row("Duration (s)", Number(m.duration_s));
  row("Requests/s", Number(m.request_throughput));
  if (m.request_goodput) row("Goodput (requests/s)", Number(*m.request_goodput));
  row("Input tokens", absl::StrCat(m.total_input_tokens));
  row("Output tokens", absl::StrCat(m.total_output_tokens));
  row("Output tokens/s", Number(m.output_throughput));
  row("Peak requests at once", absl::StrCat(m.max_concurrent_requests));
  const ClientHealth& client = result.client;
  row("Client's event loop late, p99 (ms)", Number(client.loop_late_ms.percentiles[0].second));
  row("Requests sent late, p99 (ms)", Number(client.send_late_ms.percentiles[0].second));
  return out + "</table>\n";
}

std::string LatencyTable(const RunResult& result, const Options& options) {
  std::vector<std::string> head = {"ms", "mean", "median", "std"};
  for (const double p : options.report.percentiles) head.push_back("p" + PercentileName(p));
  std::string out = "<table>\n" + TableHead(head);
  for (const std::string& metric : options.report.percentile_metrics) {
    const Distribution& values = result.metrics.latencies_ms.at(metric);
    std::vector<std::string> row = {Number(values.mean), Number(values.median),
                                    Number(values.std)};
    for (const auto& [percentile, value] : values.percentiles) row.push_back(Number(value));
    out += TableRow(NameOf(metric).brief, row);
  }
  return out + "</table>\n";
}

// "20260131-235959" as "2026-01-31 23:59:59".
std::string Readable(std::string date) {
  if (date.size() != std::string("YYYYMMDD-HHMMSS").size()) return date;
  date[8] = ' ';
  for (const std::size_t at : {13u, 11u}) date.insert(at, ":");
  for (const std::size_t at : {6u, 4u}) date.insert(at, "-");
  return date;
}

std::string Load(const Options& options) {
  const LoadOptions& load = options.load;
  std::string out;
  if (!load.ramp_up_strategy.empty()) {
    out = absl::StrCat(load.ramp_up_start_rps, " to ", load.ramp_up_end_rps, " requests/s, ",
                       load.ramp_up_strategy);
  } else if (std::isfinite(load.request_rate)) {
    out = absl::StrCat(load.request_rate, " requests/s, burstiness ", load.burstiness);
  }
  if (load.max_concurrency > 0) {
    absl::StrAppend(&out, out.empty() ? "" : ", ", "at most ", load.max_concurrency, " at once");
  }
  return out.empty() ? "all at once" : out;
}

}  // namespace

std::string HtmlReport(const RunResult& result, const Options& options) {
  const nlohmann::ordered_json json = ResultJson(result, options, /*detailed=*/false);
  const auto within = [&json](const char* title, const std::vector<std::string>& metrics) {
    Chart chart{.title = title, .x_label = "within … ms", .y_label = "%", .lines = {}};
    for (const std::string& metric : metrics) {
      chart.lines.push_back(LatencyCurve(json, metric, NameOf(metric).brief));
    }
    return chart;
  };
  const Chart throughput{.title = "Output tokens in each second", .x_label = "s",
                         .y_label = "tok/s", .lines = {ThroughputCurve(json, "")}, .steps = true};
  Chart under_way{.title = "Requests under way", .x_label = "s", .y_label = "", .lines = {},
                  .steps = true};
  under_way.lines.push_back(OpenCurve(json, "open (client)"));
  if (!result.queue.empty()) {
    under_way.lines.push_back(RunningCurve(json, "running (server)"));
    under_way.lines.push_back(WaitingCurve(json, "waiting (server)"));
  }
  const std::string body = absl::StrCat(
      "<div class=\"tables\">\n", SummaryTable(result), LatencyTable(result, options), "</div>\n",
      ChartGrid({within("Requests that had their first token", {"ttft"}),
                 within("Requests that were complete", {"e2el"}),
                 within("Gaps between tokens; mean gap of a request", {"itl", "tpot"}),
                 throughput, under_way}));
  return HtmlPage(absl::StrCat(result.model, " over ", options.target.backend),
                  absl::StrCat(Readable(result.date), " UTC · dataset ", options.dataset.name,
                               " · ", Load(options), " · seed ", options.load.seed),
                  body);
}

}  // namespace engram::bench
