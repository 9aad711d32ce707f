// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/arrivals.h"

#include <cmath>

#include "gtest/gtest.h"

namespace engram::bench {
namespace {

struct Moments {
  double mean = 0;
  double variation = 0;  // standard deviation / mean
};

Moments OfGaps(const std::vector<double>& times) {
  Moments out;
  double last = 0, squares = 0;
  for (const double time : times) {
    out.mean += time - last;
    squares += (time - last) * (time - last);
    last = time;
  }
  const double count = static_cast<double>(times.size());
  out.mean /= count;
  out.variation = std::sqrt(squares / count - out.mean * out.mean) / out.mean;
  return out;
}

LoadOptions Load(double rate, double burstiness, std::uint64_t seed) {
  LoadOptions load;
  load.num_prompts = 20000;
  load.request_rate = rate;
  load.burstiness = burstiness;
  load.seed = seed;
  return load;
}

// A gamma distribution of shape k varies by 1 / √k around its mean.
TEST(ArrivalsTest, GapsAreGammaDistributed) {
  for (const double burstiness : {0.25, 1.0, 4.0}) {
    for (const std::uint64_t seed : {1u, 2u}) {
      const Moments gaps = OfGaps(ArrivalTimes(Load(50, burstiness, seed)));
      EXPECT_NEAR(gaps.mean, 0.02, 1e-9) << burstiness;  // scaled to be exact
      EXPECT_NEAR(gaps.variation, 1 / std::sqrt(burstiness), 0.08 / std::sqrt(burstiness));
    }
  }
}

// Poisson: of gaps with mean 1/λ, e⁻¹ are longer than the mean and e⁻³ than three times the mean.
TEST(ArrivalsTest, BurstinessOneIsPoisson) {
  const std::vector<double> times = ArrivalTimes(Load(10, 1, 7));
  int over_mean = 0, over_three = 0;
  double last = 0;
  for (const double time : times) {
    over_mean += time - last > 0.1;
    over_three += time - last > 0.3;
    last = time;
  }
  EXPECT_NEAR(over_mean / 20000.0, std::exp(-1), 0.015);
  EXPECT_NEAR(over_three / 20000.0, std::exp(-3), 0.006);
}

TEST(ArrivalsTest, TheSeedDecides) {
  EXPECT_EQ(ArrivalTimes(Load(10, 1, 3)), ArrivalTimes(Load(10, 1, 3)));
  EXPECT_NE(ArrivalTimes(Load(10, 1, 3)), ArrivalTimes(Load(10, 1, 4)));
}

TEST(ArrivalsTest, DurationEndsTheSchedule) {
  LoadOptions load = Load(100, 1, 5);
  load.num_prompts = 0;
  load.duration_s = 30;
  const std::vector<double> times = ArrivalTimes(load);
  EXPECT_LT(times.back(), 30);
  EXPECT_NEAR(static_cast<double>(times.size()), 3000, 4 * std::sqrt(3000));
}

TEST(ArrivalsTest, ARampEndsFasterThanItBegan) {
  for (const char* strategy : {"linear", "exponential"}) {
    LoadOptions load = Load(std::numeric_limits<double>::infinity(), 1, 5);
    load.ramp_up_strategy = strategy;
    load.ramp_up_start_rps = 10;
    load.ramp_up_end_rps = 1000;
    const std::vector<double> times = ArrivalTimes(load);
    EXPECT_NEAR(2000 / (times[19999] - times[17999]), load.ramp_up_strategy == "linear" ? 950 : 790,
                100) << strategy;
    EXPECT_LT(200 / times[199], 25) << strategy;
  }
}

TEST(ArrivalsTest, WithoutRateAllAreDueAtOnceUnlessTheLoopIsClosed) {
  LoadOptions load;
  load.num_prompts = 3;
  EXPECT_TRUE(IsOpenLoop(load));
  EXPECT_EQ(ArrivalTimes(load), std::vector<double>(3, 0.0));
  load.max_concurrency = 2;
  EXPECT_FALSE(IsOpenLoop(load));
  load.request_rate = 5;
  EXPECT_TRUE(IsOpenLoop(load));
}

}  // namespace
}  // namespace engram::bench
