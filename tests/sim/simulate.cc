// SPDX-License-Identifier: Apache-2.0
// simulate FIRST_SEED [SEED_COUNT]: the scheduler simulation from the command line, to find a
// failure again or to look for new ones overnight.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/sim/scheduler_simulation.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: simulate FIRST_SEED [SEED_COUNT]\n");
    return 2;
  }
  const std::uint64_t first = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    std::printf("seed %llu: ", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    const auto counts = engram::testing_support::SchedulerSimulation(seed).Run(150);
    std::printf("%lld requests in %lld steps\n", static_cast<long long>(counts.requests),
                static_cast<long long>(counts.steps));
  }
  return 0;
}
