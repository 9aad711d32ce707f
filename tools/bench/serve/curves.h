// SPDX-License-Identifier: Apache-2.0
// The lines of the charts, read from a result's JSON: a run that has just ended and a file from
// last week are drawn by the same code. A file that lacks what a line needs gives one without
// points.
#pragma once

#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/bench/serve/svg_chart.h"

namespace engram::bench {

// The share (in %) of samples that took at most so many ms. `metric`: "ttft", "tpot", "itl" or
// "e2el". Of a file of vLLM's with single latencies, ttft and itl.
ChartLine LatencyCurve(const nlohmann::ordered_json& result, const std::string& metric,
                       const std::string& name);

// Output tokens in each second.
ChartLine ThroughputCurve(const nlohmann::ordered_json& result, const std::string& name);

// Requests that the client had open, and what the server's /metrics said of running and waiting.
ChartLine OpenCurve(const nlohmann::ordered_json& result, const std::string& name);
ChartLine RunningCurve(const nlohmann::ordered_json& result, const std::string& name);
ChartLine WaitingCurve(const nlohmann::ordered_json& result, const std::string& name);

}  // namespace engram::bench
