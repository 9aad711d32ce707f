// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engram::bench {
namespace {

constexpr double kMsPerSecond = 1000;
constexpr int kQuantileSteps = 200;

bool MeetsObjectives(const RequestRecord& record, const MetricOptions& options) {
  for (const auto& [metric, limit_ms] : options.goodput) {
    double seconds = 0;
    if (metric == "ttft") seconds = TimeToFirstToken(record);
    if (metric == "tpot") seconds = TimePerOutputToken(record).value_or(0);
    if (metric == "e2el") seconds = EndToEndLatency(record);
    if (seconds * kMsPerSecond > limit_ms) return false;
  }
  return true;
}

// Requests under way, at each moment that this changed.
std::vector<std::pair<double, int>> UnderWay(const std::vector<RequestRecord>& records) {
  std::vector<std::pair<double, int>> changes;
  for (const RequestRecord& record : records) {
    changes.emplace_back(record.sent_s, +1);
    changes.emplace_back(record.end_s, -1);
  }
  // An end sorts before a start at the same time: they did not overlap.
  std::sort(changes.begin(), changes.end());
  int now = 0;
  for (auto& [time, change] : changes) change = now += change;
  return changes;
}

std::vector<std::pair<double, int>> Thinned(const std::vector<std::pair<double, int>>& changes) {
  constexpr double kStepS = 0.1;
  std::vector<std::pair<double, int>> out;
  for (const auto& [time, count] : changes) {
    if (!out.empty() && time - out.back().first < kStepS) {
      out.back().second = std::max(out.back().second, count);
    } else {
      out.emplace_back(time, count);
    }
  }
  // How it ended, which no peak may hide.
  if (!changes.empty()) out.emplace_back(changes.back());
  return out;
}

std::vector<double> TokensPerSecond(const std::vector<RequestRecord>& records) {
  std::vector<double> buckets;
  for (const RequestRecord& record : records) {
    for (const TokenMessage& message : record.messages) {
      const std::size_t second = static_cast<std::size_t>(std::max(message.at_s, 0.0));
      if (second >= buckets.size()) buckets.resize(second + 1, 0);
      buckets[second] += message.tokens;
    }
  }
  return buckets;
}

struct Samples {
  std::vector<double> ttft, tpot, itl, e2el, client_queue_time;  // ms
};

void AddSamples(const RequestRecord& record, Samples* out) {
  if (!record.messages.empty()) out->ttft.push_back(TimeToFirstToken(record) * kMsPerSecond);
  out->e2el.push_back(EndToEndLatency(record) * kMsPerSecond);
  out->client_queue_time.push_back((record.sent_s - record.scheduled_s) * kMsPerSecond);
  if (const auto tpot = TimePerOutputToken(record)) out->tpot.push_back(*tpot * kMsPerSecond);
  for (const double gap : InterTokenLatencies(record)) out->itl.push_back(gap * kMsPerSecond);
}

}  // namespace

double TimeToFirstToken(const RequestRecord& record) {
  return record.messages.empty() ? 0 : record.messages.front().at_s - record.scheduled_s;
}

double EndToEndLatency(const RequestRecord& record) { return record.end_s - record.scheduled_s; }

double SendLateness(const RequestRecord& record) { return record.sent_s - record.ready_s; }

std::optional<double> TimePerOutputToken(const RequestRecord& record) {
  if (record.messages.empty()) return std::nullopt;
  const int rest = record.output_tokens - record.messages.front().tokens;
  if (rest <= 0) return std::nullopt;
  return (record.end_s - record.messages.front().at_s) / rest;
}

std::vector<double> InterTokenLatencies(const RequestRecord& record) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < record.messages.size(); ++i) {
    const int tokens = record.messages[i].tokens;
    const double gap = record.messages[i].at_s - record.messages[i - 1].at_s;
    gaps.insert(gaps.end(), static_cast<std::size_t>(tokens), gap / tokens);
  }
  return gaps;
}

double Percentile(const std::vector<double>& ascending, double percentile) {
  if (ascending.empty()) return 0;
  const double place = percentile / 100 * static_cast<double>(ascending.size() - 1);
  const std::size_t below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, ascending.size() - 1);
  const double share = place - static_cast<double>(below);
  return ascending[below] + (ascending[above] - ascending[below]) * share;
}

Distribution Summarise(std::vector<double> values, const std::vector<double>& percentiles) {
  std::sort(values.begin(), values.end());
  Distribution out;
  const double count = static_cast<double>(std::max<std::size_t>(values.size(), 1));
  out.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  out.median = Percentile(values, 50);
  double squares = 0;
  for (const double value : values) squares += (value - out.mean) * (value - out.mean);
  out.std = std::sqrt(squares / count);
  for (const double p : percentiles) out.percentiles.emplace_back(p, Percentile(values, p));
  for (int i = 0; i <= kQuantileSteps && !values.empty(); ++i) {
    out.quantiles.push_back(Percentile(values, 100.0 * i / kQuantileSteps));
  }
  return out;
}

BenchMetrics ComputeMetrics(const std::vector<RequestRecord>& records, double duration_s,
                            const MetricOptions& options) {
  BenchMetrics out;
  out.duration_s = duration_s;
  Samples samples;
  int good = 0;
  for (const RequestRecord& record : records) {
    if (!record.ok()) {
      ++out.failed;
      ++out.errors_by_kind[record.error_kind];
      continue;
    }
    ++out.completed;
    out.total_input_tokens += record.prompt_tokens;
    out.total_output_tokens += record.output_tokens;
    if (MeetsObjectives(record, options)) ++good;
    AddSamples(record, &samples);
  }
  const double seconds = std::max(duration_s, 1e-9);
  out.request_throughput = out.completed / seconds;
  if (!options.goodput.empty()) out.request_goodput = good / seconds;
  out.output_throughput = static_cast<double>(out.total_output_tokens) / seconds;
  out.total_token_throughput =
      static_cast<double>(out.total_input_tokens + out.total_output_tokens) / seconds;
  out.output_tokens_per_s = TokensPerSecond(records);
  for (const double tokens : out.output_tokens_per_s) {
    out.max_output_tokens_per_s = std::max(out.max_output_tokens_per_s, tokens);
  }
  const std::vector<std::pair<double, int>> under_way = UnderWay(records);
  for (const auto& [time, count] : under_way) {
    out.max_concurrent_requests = std::max(out.max_concurrent_requests, count);
  }
  out.open_requests = Thinned(under_way);
  const auto summarise = [&](const char* name, std::vector<double> values) {
    out.latencies_ms[name] = Summarise(std::move(values), options.percentiles);
  };
  summarise("ttft", std::move(samples.ttft));
  summarise("tpot", std::move(samples.tpot));
  summarise("itl", std::move(samples.itl));
  summarise("e2el", std::move(samples.e2el));
  summarise("client_queue_time", std::move(samples.client_queue_time));
  return out;
}

}  // namespace engram::bench
