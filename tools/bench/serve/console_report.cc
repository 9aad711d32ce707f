// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "tools/bench/serve/result.h"

namespace engram::bench {
namespace {

constexpr int kWidth = 50;
constexpr double kLagWarningMs = 5;

std::string Heading(const std::string& text, char fill) {
  const int free = std::max(kWidth - static_cast<int>(text.size()), 0);
  return std::string(static_cast<std::size_t>(free / 2), fill) + text +
         std::string(static_cast<std::size_t>(free - free / 2), fill) + "\n";
}

std::string Row(const std::string& label, double value) {
  return absl::StrFormat("%-40s %-10.2f\n", label + ":", value);
}

std::string Row(const std::string& label, std::int64_t value) {
  return absl::StrFormat("%-40s %-10d\n", label + ":", value);
}

std::string LatencyBlock(const MetricName& name, const Distribution& values) {
  std::string out = Heading(name.heading, '-');
  out += Row(absl::StrCat("Mean ", name.brief, " (ms)"), values.mean);
  out += Row(absl::StrCat("Median ", name.brief, " (ms)"), values.median);
  for (const auto& [percentile, value] : values.percentiles) {
    out += Row(absl::StrCat("P", PercentileName(percentile), " ", name.brief, " (ms)"), value);
  }
  return out;
}

std::string Errors(const RunResult& result) {
  if (result.metrics.errors_by_kind.empty()) return "";
  std::string out = Heading("Errors by Kind", '-');
  std::map<std::string, std::string> example;
  for (const RequestRecord& record : result.records) {
    if (!record.ok()) example.emplace(record.error_kind, record.error);
  }
  for (const auto& [kind, count] : result.metrics.errors_by_kind) {
    out += Row(kind, static_cast<std::int64_t>(count));
    out += absl::StrCat("  e.g. ", example[kind], "\n");
  }
  return out;
}

}  // namespace

const MetricName& NameOf(const std::string& metric) {
  static const MetricName kNames[] = {
      {"ttft", "TTFT", "Time to First Token"},
      {"tpot", "TPOT", "Time per Output Token (excl. 1st token)"},
      {"itl", "ITL", "Inter-token Latency"},
      {"e2el", "E2EL", "End-to-end Latency"},
      {"client_queue_time", "Client Queue Time", "Client-side Queueing"}};
  for (const MetricName& name : kNames) {
    if (name.id == metric) return name;
  }
  CHECK_MSG(false, metric);
  return kNames[0];
}

std::string PercentileName(double percentile) {
  if (percentile == std::floor(percentile)) return absl::StrCat(static_cast<int>(percentile));
  return absl::StrCat(percentile);
}

std::string ConsoleReport(const RunResult& result, const Options& options) {
  const BenchMetrics& m = result.metrics;
  std::string out = Heading(" Serving Benchmark Result ", '=');
  out += Row("Successful requests", static_cast<std::int64_t>(m.completed));
  out += Row("Failed requests", static_cast<std::int64_t>(m.failed));
  if (options.load.max_concurrency > 0) {
    out += Row("Maximum request concurrency",
               static_cast<std::int64_t>(options.load.max_concurrency));
  }
  if (std::isfinite(options.load.request_rate)) {
    out += Row("Request rate configured (RPS)", options.load.request_rate);
  }
  out += Row("Benchmark duration (s)", m.duration_s);
  out += Row("Total input tokens", m.total_input_tokens);
  out += Row("Total generated tokens", m.total_output_tokens);
  out += Row("Request throughput (req/s)", m.request_throughput);
  if (m.request_goodput) out += Row("Request goodput (req/s)", *m.request_goodput);
  out += Row("Output token throughput (tok/s)", m.output_throughput);
  out += Row("Peak output token throughput (tok/s)", m.max_output_tokens_per_s);
  out += Row("Peak concurrent requests", static_cast<double>(m.max_concurrent_requests));
  out += Row("Total token throughput (tok/s)", m.total_token_throughput);
  for (const std::string& metric : options.report.percentile_metrics) {
    out += LatencyBlock(NameOf(metric), m.latencies_ms.at(metric));
  }
  out += Errors(result);
  const double lag_ms = result.client.loop_late_ms.percentiles.front().second;
  const double send_ms = result.client.send_late_ms.percentiles.front().second;
  out += Heading("Client", '-');
  out += Row("P99 event loop lag (ms)", lag_ms);
  out += Row("P99 send lateness (ms)", send_ms);
  out += Row("CPU used (cores)", result.client.cpu_cores);
  if (std::max(lag_ms, send_ms) > kLagWarningMs) {
    out += "The client itself was late: its machine is too busy for these numbers.\n";
  }
  out += std::string(kWidth, '=') + "\n";
  return out;
}

}  // namespace engram::bench
