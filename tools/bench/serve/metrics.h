// SPDX-License-Identifier: Apache-2.0
// From what was recorded of every request to the numbers of the report. docs/BENCHMARKING.md
// defines each; only complete requests count, failed ones are counted by kind.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/bench/serve/record.h"

namespace engram::bench {

// Of one request, in seconds, counted from the time it should have been sent. Had the clock started
// when the client got to it, a stalled server would hide the requests that it held up.
double TimeToFirstToken(const RequestRecord& record);
double EndToEndLatency(const RequestRecord& record);
// How late the client itself was: from when it was due and had a free slot to when it was sent.
double SendLateness(const RequestRecord& record);
// Mean time of the tokens after the first message's; absent with none.
std::optional<double> TimePerOutputToken(const RequestRecord& record);
// One per token after the first message's. A message of k tokens that comes g after the one before
// it counts as k gaps of g / k.
std::vector<double> InterTokenLatencies(const RequestRecord& record);

// Of `values`, in any order, none of them NaN. Zero if there are none.
struct Distribution {
  double mean = 0;
  double median = 0;
  double std = 0;                                      // of the population
  std::vector<std::pair<double, double>> percentiles;  // asked for -> value
  // From the least (0 %) to the greatest (100 %) in steps of half a per cent; empty without values.
  std::vector<double> quantiles;
};
// Percentiles are interpolated linearly between the two nearest values, as numpy does.
Distribution Summarise(std::vector<double> values, const std::vector<double>& percentiles);
double Percentile(const std::vector<double>& ascending, double percentile);

struct BenchMetrics {
  double duration_s = 0;
  int completed = 0;
  int failed = 0;
  std::map<std::string, int> errors_by_kind;
  std::int64_t total_input_tokens = 0;
  std::int64_t total_output_tokens = 0;
  double request_throughput = 0;  // complete requests / s
  std::optional<double> request_goodput;
  double output_throughput = 0;  // tokens / s
  double total_token_throughput = 0;
  double max_output_tokens_per_s = 0;  // in the best of the seconds
  int max_concurrent_requests = 0;
  // In milliseconds, by metric: "ttft", "tpot", "itl", "e2el", "client_queue_time".
  std::map<std::string, Distribution> latencies_ms;
  // Output tokens that arrived in each second, of all requests.
  std::vector<double> output_tokens_per_s;
  // (second, requests under way), whenever that changed; at most ten a second, each the most since
  // the one before.
  std::vector<std::pair<double, int>> open_requests;
};

struct MetricOptions {
  std::vector<double> percentiles;
  std::vector<std::pair<std::string, double>> goodput;  // metric -> at most so many ms
};

// `duration_s`: from the start to the end of the last request.
BenchMetrics ComputeMetrics(const std::vector<RequestRecord>& records, double duration_s,
                            const MetricOptions& options);

}  // namespace engram::bench
