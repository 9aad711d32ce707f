// SPDX-License-Identifier: Apache-2.0
// 10⁵ random requests through the real scheduler. A failure prints the seed; //tests/sim:simulate
// runs that seed alone, or many more.
#include "tests/sim/scheduler_simulation.h"

#include <atomic>
#include <csignal>
#include <cstdio>

#include "gtest/gtest.h"

namespace engram::testing_support {
namespace {

std::atomic<std::uint64_t> current_seed;  // for the signal handler, which can reach nothing else

void PrintSeed(int) {
  std::fprintf(stderr, "the simulation failed with seed %llu\n",
               static_cast<unsigned long long>(current_seed.load()));
}

TEST(SchedulerSimulation, HundredThousandRequests) {
  std::signal(SIGABRT, PrintSeed);
  SimulationCounts total;
  for (std::uint64_t seed = 1; total.requests < 100'000; ++seed) {
    current_seed = seed;
    total += SchedulerSimulation(seed).Run(150);
  }
  std::signal(SIGABRT, SIG_DFL);
  std::printf(
      "%lld requests, %lld steps, %lld tokens, %lld preemptions, %lld tokens from the cache\n",
      static_cast<long long>(total.requests), static_cast<long long>(total.steps),
      static_cast<long long>(total.tokens), static_cast<long long>(total.preemptions),
      static_cast<long long>(total.hit_tokens));
  // It exercised what it is for.
  EXPECT_GT(total.tokens, 500'000);
  EXPECT_GT(total.preemptions, 1'000);
  EXPECT_GT(total.hit_tokens, 100'000);
  EXPECT_GT(total.cancels, 1'000);
  EXPECT_GT(total.deadlines, 1'000);
  EXPECT_GT(total.aborts, 100);
}

}  // namespace
}  // namespace engram::testing_support
