// SPDX-License-Identifier: Apache-2.0
// Everything that is known after a run, and its three forms: text, JSON and HTML.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"
#include "tools/bench/serve/metrics.h"
#include "tools/bench/serve/options.h"
#include "tools/bench/serve/queue_poller.h"
#include "tools/bench/serve/record.h"

namespace engram::bench {

// How the client itself did. Of both distributions percentile 99 is asked for.
struct ClientHealth {
  Distribution loop_late_ms;  // its event loop woke up late
  Distribution send_late_ms;  // requests left late
  double cpu_cores = 0;       // CPU time over duration
};

struct RunResult {
  std::string date;  // "YYYYMMDD-HHMMSS", UTC
  std::string model;
  BenchMetrics metrics;
  ClientHealth client;
  std::vector<RequestRecord> records;
  std::vector<QueueSample> queue;
};

// The block that `vllm bench serve` prints, and below it errors by kind and the client's lag.
std::string ConsoleReport(const RunResult& result, const Options& options);

// With vLLM's keys where they mean the same. `detailed`: with every request.
nlohmann::ordered_json ResultJson(const RunResult& result, const Options& options, bool detailed);

// One HTML file that loads nothing: latency distributions, throughput and queue over time.
std::string HtmlReport(const RunResult& result, const Options& options);

// What --save-result and --html ask for. Adds the names of the files written to `written`.
absl::Status SaveResult(const RunResult& result, const Options& options,
                        std::vector<std::string>* written);

// "ttft" -> "Time to First Token"; REQUIRES: one of the known metrics.
struct MetricName {
  std::string id;       // "ttft"
  std::string brief;    // "TTFT"
  std::string heading;  // "Time to First Token"
};
const MetricName& NameOf(const std::string& metric);

// "99" or "99.9": as it is in keys and headings.
std::string PercentileName(double percentile);

}  // namespace engram::bench
