// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/machine_limits.h"

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

namespace engram::bench {
namespace {

constexpr std::size_t kBytesPerThread = std::size_t{256} << 20;
constexpr std::int64_t kChainSteps = 20'000'000;
constexpr int kRepeats = 7;

// Vectors of kBytes, kChains independent multiply-adds at a time: enough to hide their latency and
// few enough for the registers.
template <int kBytes, int kChains>
[[gnu::always_inline]] inline float MultiplyAdds(std::int64_t steps) {
  using Vec [[gnu::vector_size(kBytes)]] = float;
  Vec acc[kChains];
  for (int c = 0; c < kChains; ++c) acc[c] = Vec{} + static_cast<float>(c);
  const Vec factor = Vec{} + 0.999f;
  const Vec term = Vec{} + 1e-3f;
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 16
    for (int c = 0; c < kChains; ++c) acc[c] = acc[c] * factor + term;
  }
  float sum = 0;
  for (int c = 0; c < kChains; ++c) sum += acc[c][0];
  return sum;
}

struct Chains {
  float (*run)(std::int64_t steps);
  double flops_per_step;
};

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) float Chains256(std::int64_t steps) {
  return MultiplyAdds<32, 12>(steps);
}
__attribute__((target("avx512f"))) float Chains512(std::int64_t steps) {
  return MultiplyAdds<64, 16>(steps);
}
#endif
float Chains128(std::int64_t steps) { return MultiplyAdds<16, 12>(steps); }

Chains WidestChains() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return {Chains512, 2.0 * 16 * 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {Chains256, 2.0 * 8 * 12};
  }
#endif
  return {Chains128, 2.0 * 4 * 12};
}

// Adds up cache lines from a few places at a time, each asked for ahead: neither adding nor the
// processor's own prefetch is to be what takes the time.
std::uint64_t ReadAll(const std::vector<std::uint64_t>& data) {
  constexpr int kStreams = 4;
  constexpr std::size_t kLine = 8;
  const std::size_t part = data.size() / kStreams;
  std::uint64_t sums[kStreams * kLine] = {};
  for (std::size_t i = 0; i + kLine <= part; i += kLine) {
    for (int s = 0; s < kStreams; ++s) {
      const std::uint64_t* line = data.data() + s * part + i;
      __builtin_prefetch(line + 8 * kLine);
      for (std::size_t j = 0; j < kLine; ++j) sums[s * kLine + j] += line[j];
    }
  }
  return std::accumulate(std::begin(sums), std::end(sums), std::uint64_t{0});
}

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Seconds of processor time per thread for body(thread) on all threads at once: the best of some
// runs, because other guests of the machine can only make it slower.
double BestSeconds(int threads, const std::function<void(int)>& body) {
  double best = 1e30;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    std::vector<double> taken(threads);
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] {
        const double start = ThreadSeconds();
        body(i);
        taken[i] = ThreadSeconds() - start;
      });
    }
    for (std::thread& worker : workers) worker.join();
    best = std::min(best, std::accumulate(taken.begin(), taken.end(), 0.0) / threads);
  }
  return best;
}

}  // namespace

MachineLimits MeasureMachine(int threads) {
  std::vector<std::vector<std::uint64_t>> data(threads);
  for (auto& part : data) part.assign(kBytesPerThread / sizeof(std::uint64_t), 1);
  std::vector<std::uint64_t> sink(static_cast<std::size_t>(threads) * 8);
  const double read = BestSeconds(threads, [&](int i) { sink[i * 8] += ReadAll(data[i]); });
  const Chains chains = WidestChains();
  const double compute = BestSeconds(
      threads, [&](int i) { sink[i * 8] += static_cast<std::uint64_t>(chains.run(kChainSteps)); });
  return {.read_gb_per_s = 1e-9 * static_cast<double>(kBytesPerThread) * threads / read,
          .gflop_per_s = 1e-9 * chains.flops_per_step * kChainSteps * threads / compute};
}

}  // namespace engram::bench
