// SPDX-License-Identifier: Apache-2.0
// Times the ops of the CPU backend at the shapes of the paper's 27B model, with the cases the
// parity test also uses. Products are given as fractions of what the machine can do, measured in
// the same run: reading memory for few rows (decode), multiplying and adding for many (prefill).
//
//   bazel run //tools/bench:kernel_bench -- --benchmark_filter=MatMul
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/simd/simd_dispatch.h"
#include "tests/kernels/op_cases.h"
#include "tools/bench/machine_limits.h"

namespace engram::bench {
namespace {

using testing_support::Arrays;
using testing_support::OpCase;
using testing_support::PreparedOp;

// Weights are read from memory in a real step, because the other layers' have been through the
// caches since: so are they here, by taking turns among copies that are larger than the caches.
constexpr double kColdBytes = 256e6;

struct Timed {
  OpCase op;
  std::vector<int> rows;  // the numbers of rows to time
};

struct Run {
  OpCase op;
  int rows;
  int threads;
  MachineLimits limits;
};

void TimeOp(benchmark::State& state, const Run& run) {
  const std::unique_ptr<Backend> backend = MakeCpuBackend({.threads = run.threads});
  Arrays arrays(backend.get());
  const double weight_bytes = run.op.weight_bytes ? run.op.weight_bytes(run.rows) : 0;
  const int copies =
      weight_bytes == 0 ? 1 : std::clamp(static_cast<int>(kColdBytes / weight_bytes), 1, 256);
  std::vector<PreparedOp> ops;
  for (int i = 0; i < copies; ++i) {
    ops.push_back(run.op.prepare(arrays, testing_support::FirstRows(run.rows)));
  }
  for (PreparedOp& op : ops) op.run();
  std::size_t next = 0;
  for (auto _ : state) {
    ops[next].run();
    next = (next + 1) % ops.size();
  }
  // Processor time is that of all threads together.
  const double runs = static_cast<double>(state.iterations()) * run.threads;
  const auto rate = [](double per_run, double count) {
    return benchmark::Counter(per_run * count, benchmark::Counter::kIsRate);
  };
  if (weight_bytes > 0) {
    state.counters["GB/s"] = rate(weight_bytes * 1e-9, runs);
    state.counters["of_read"] = rate(weight_bytes * 1e-9 / run.limits.read_gb_per_s, runs);
  }
  if (run.op.flops_per_row > 0) {
    const double gflop = run.op.flops_per_row * run.rows * 1e-9;
    state.counters["GFLOP/s"] = rate(gflop, runs);
    state.counters["of_fma"] = rate(gflop / run.limits.gflop_per_s, runs);
  }
}

// The 27B model of the paper: hidden 2560, 32 heads, 4 streams; a third of its experts, to fit.
std::vector<Timed> TimedOps() {
  using namespace testing_support;  // NOLINT(build/namespaces): the makers of cases
  constexpr int kHidden = 2560;
  constexpr int kStreams = 4;
  const MlaShape mla = {
      .heads = 32, .nope = 128, .rope = 64, .v = 128, .kv_lora = 512, .dtype = DType::kBF16};
  const std::vector<int> all = {1, 2, 4, 8, 16, 128, 512};
  const std::vector<int> few = {1, 16, 512};
  std::vector<Timed> timed;
  for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
    timed.push_back({MatMulCase({.cols = 6144, .depth = kHidden, .dtype = dtype}), all});
  }
  timed.push_back({MatMulCase({.cols = kHidden, .depth = 12288, .dtype = DType::kBF16}), few});
  timed.push_back({MatMulCase({.cols = 576, .depth = kHidden, .dtype = DType::kBF16}), few});
  timed.push_back({MatMulCase({.cols = 72, .depth = kHidden}), few});
  timed.push_back(
      {MoeExpertsCase(
           {.experts = 24, .top_k = 6, .inner = 1536, .hidden = kHidden, .dtype = DType::kBF16}),
       {1, 16, 128, 512}});
  timed.push_back({MoeRouteCase({.experts = 72, .top_k = 6, .n_group = 8, .topk_group = 4}), few});
  timed.push_back({MlaAbsorbQueryCase(mla), few});
  timed.push_back({MlaProjectValuesCase(mla), few});
  timed.push_back({MlaAttentionCase(mla, {1024}, 16), {1, 16, 128}});
  timed.push_back({MlaAttentionCase(mla, {16384}, 16), {1, 16}});
  timed.push_back({RopeCase(mla, true), few});
  timed.push_back({MlaWriteCacheCase(mla), few});
  timed.push_back({RmsNormCase(kHidden, true, false), few});
  timed.push_back({SiluMulCase(12288, false), few});
  timed.push_back({AddCase(kHidden), few});
  timed.push_back({EmbedCase(DType::kBF16, 4096, kHidden), few});
  timed.push_back({GatherRowsCase(512, kHidden), few});
  timed.push_back({StreamsExpandCase(kStreams, kHidden), few});
  timed.push_back({StreamsSumCase(kStreams, kHidden), few});
  timed.push_back({HcPreCase(kStreams, kHidden), few});
  timed.push_back({HcPostCase(kStreams, kHidden), few});
  timed.push_back({HcHeadCase(kStreams, kHidden), few});
  timed.push_back({EngramDecodeRowsCase({.dtype = DType::kBF16, .head_dim = 80}, 16), few});
  timed.push_back({EngramDecodeRowsCase({.dtype = DType::kF8E4M3,
                                         .head_dim = 80,
                                         .scale_block = 32,
                                         .scale_dtype = DType::kE8M0},
                                        16),
                   few});
  timed.push_back(
      {EngramDecodeRowsCase({.dtype = DType::kI8, .head_dim = 80, .scale_block = 80}, 16), few});
  timed.push_back({EngramGateCase(kStreams, kHidden, true), few});
  timed.push_back({EngramConvCase(kStreams, kHidden, 4, 3), {1, 16, 64}});
  return timed;
}

void RegisterAll(const std::vector<int>& thread_counts) {
  for (const int threads : thread_counts) {
    const MachineLimits limits = MeasureMachine(threads);
    std::printf("%d thread(s), %s: reads %.1f GB/s, multiplies and adds %.0f GFLOP/s\n", threads,
                cpu::KernelsOfThisMachine().back()->name, limits.read_gb_per_s, limits.gflop_per_s);
    for (const Timed& timed : TimedOps()) {
      for (const int rows : timed.rows) {
        const std::string name =
            timed.op.name + "/rows:" + std::to_string(rows) + "/threads:" + std::to_string(threads);
        const Run run = {timed.op, rows, threads, limits};
        benchmark::RegisterBenchmark(name.c_str(), [run](benchmark::State& state) {
          TimeOp(state, run);
        })->MeasureProcessCPUTime();
      }
    }
  }
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  engram::bench::RegisterAll(processors == 1 ? std::vector<int>{1}
                                             : std::vector<int>{1, processors});
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
