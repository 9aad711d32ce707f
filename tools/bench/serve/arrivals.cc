// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/arrivals.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/check.h"

namespace engram::bench {
namespace {

// The rate when `progress` in [0, 1] of the run is over.
double RateAt(const LoadOptions& load, double progress) {
  if (load.ramp_up_strategy.empty()) return load.request_rate;
  const double from = load.ramp_up_start_rps;
  const double to = load.ramp_up_end_rps;
  if (load.ramp_up_strategy == "linear") return from + (to - from) * progress;
  return from * std::pow(to / from, progress);
}

double Progress(const LoadOptions& load, std::int64_t index, double now_s) {
  if (load.num_prompts > 0) {
    const double last = static_cast<double>(std::max<std::int64_t>(load.num_prompts - 1, 1));
    return static_cast<double>(index) / last;
  }
  return std::min(now_s / load.duration_s, 1.0);
}

}  // namespace

bool IsOpenLoop(const LoadOptions& load) {
  return std::isfinite(load.request_rate) || !load.ramp_up_strategy.empty() ||
         load.max_concurrency == 0;
}

std::vector<double> ArrivalTimes(const LoadOptions& load) {
  CHECK(IsOpenLoop(load));
  const bool paced = std::isfinite(load.request_rate) || !load.ramp_up_strategy.empty();
  if (!paced) return std::vector<double>(static_cast<std::size_t>(load.num_prompts), 0.0);
  std::mt19937_64 random(load.seed);
  std::gamma_distribution<double> unit_gap(load.burstiness, 1 / load.burstiness);  // mean 1
  std::vector<double> times;
  double now_s = 0;
  for (std::int64_t i = 0; load.num_prompts == 0 || i < load.num_prompts; ++i) {
    now_s += unit_gap(random) / RateAt(load, Progress(load, i, now_s));
    if (load.num_prompts == 0 && now_s >= load.duration_s) break;
    times.push_back(now_s);
  }
  if (load.num_prompts > 0 && load.ramp_up_strategy.empty() && times.back() > 0) {
    const double scale = static_cast<double>(load.num_prompts) / load.request_rate / times.back();
    for (double& time : times) time *= scale;
  }
  if (load.duration_s > 0) {
    times.erase(std::lower_bound(times.begin(), times.end(), load.duration_s), times.end());
  }
  return times;
}

}  // namespace engram::bench
