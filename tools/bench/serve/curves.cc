// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/curves.h"

#include "tools/bench/serve/metrics.h"

namespace engram::bench {
namespace {

using Json = nlohmann::ordered_json;

// Of a hundred; the last few stretch the axis and belong in the table.
constexpr double kCurveEnd = 99.5;
constexpr double kMsPerSecond = 1000;

const Json& At(const Json& object, const std::string& key) {
  static const Json kNull;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return !object.is_object() || found == object.end() ? kNull : *found;
}

double Number(const Json& value) { return value.is_number() ? value.get<double>() : 0; }

std::vector<double> Numbers(const Json& array, double factor) {
  std::vector<double> out;
  if (!array.is_array()) return out;
  for (const Json& value : array) {
    if (value.is_number()) out.push_back(value.get<double>() * factor);
  }
  return out;
}

// vLLM's --save-detailed: seconds, a list for each request's ITLs.
std::vector<double> SingleLatenciesMs(const Json& result, const std::string& metric) {
  if (metric == "ttft") return Numbers(At(result, "ttfts"), kMsPerSecond);
  std::vector<double> out;
  if (metric != "itl" || !At(result, "itls").is_array()) return out;
  for (const Json& request : At(result, "itls")) {
    const std::vector<double> gaps = Numbers(request, kMsPerSecond);
    out.insert(out.end(), gaps.begin(), gaps.end());
  }
  return out;
}

ChartLine QueueCurve(const Json& result, const char* key, const std::string& name) {
  ChartLine line{.name = name, .points = {}};
  const Json& queue = At(result, "queue");
  if (!queue.is_array()) return line;
  for (const Json& sample : queue) {
    line.points.emplace_back(Number(At(sample, "at")), Number(At(sample, key)));
  }
  return line;
}

}  // namespace

ChartLine LatencyCurve(const Json& result, const std::string& metric, const std::string& name) {
  ChartLine line{.name = name, .points = {}};
  std::vector<double> quantiles = Numbers(At(At(result, "latency_quantiles_ms"), metric), 1);
  if (quantiles.empty()) quantiles = Summarise(SingleLatenciesMs(result, metric), {}).quantiles;
  if (quantiles.size() < 2) return line;
  const double step = 100.0 / static_cast<double>(quantiles.size() - 1);
  for (std::size_t i = 0; i < quantiles.size(); ++i) {
    const double percent = step * static_cast<double>(i);
    if (percent <= kCurveEnd) line.points.emplace_back(quantiles[i], percent);
  }
  return line;
}

ChartLine ThroughputCurve(const Json& result, const std::string& name) {
  ChartLine line{.name = name, .points = {}};
  double second = 0;
  for (const double tokens : Numbers(At(result, "output_tokens_per_s"), 1)) {
    line.points.emplace_back(second, tokens);
    second += 1;
  }
  // The last second's step needs an end.
  if (!line.points.empty()) line.points.emplace_back(second, line.points.back().second);
  return line;
}

ChartLine OpenCurve(const Json& result, const std::string& name) {
  ChartLine line{.name = name, .points = {}};
  const Json& open = At(result, "open_requests");
  if (!open.is_array()) return line;
  for (const Json& point : open) {
    const std::vector<double> pair = Numbers(point, 1);
    if (pair.size() == 2) line.points.emplace_back(pair[0], pair[1]);
  }
  return line;
}

ChartLine RunningCurve(const Json& result, const std::string& name) {
  return QueueCurve(result, "running", name);
}

ChartLine WaitingCurve(const Json& result, const std::string& name) {
  return QueueCurve(result, "waiting", name);
}

}  // namespace engram::bench
