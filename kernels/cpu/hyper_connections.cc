// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/op_checks.h"

namespace engram::cpu {
namespace {

float Sigmoid(float x) { return static_cast<float>(1.0 / (1.0 + std::exp(-double{x}))); }

// x̄ fnᵀ for all rows: [T, fn.rows], not yet divided by the rows' norms.
Tensor Projections(Machine& machine, const Tensor& streams, const Tensor& fn) {
  const Tensor q =
      MakeTensor(machine.shared.Get<float>(static_cast<std::size_t>(streams.rows * fn.rows)),
                 DType::kF32, streams.rows, fn.rows);
  MatMul(machine, {.out = q, .x = streams, .weight = fn, .bias = {}});
  return q;
}

float InverseRms(const SimdKernels& simd, const float* x, std::int64_t count, float eps) {
  return 1.0f / std::sqrt(simd.sum_squares(x, count) / static_cast<float>(count) + eps);
}

// Divides the rows (step 1 apart, the next n) or the columns (step n, the next 1) by their sums.
void Normalise(float* m, int n, int step, int next, float eps) {
  for (int i = 0; i < n; ++i) {
    float total = eps;
    for (int j = 0; j < n; ++j) total += m[i * next + j * step];
    const float inverse = 1.0f / total;
    for (int j = 0; j < n; ++j) m[i * next + j * step] *= inverse;
  }
}

void Sinkhorn(float* m, int n, int iters, float eps) {
  for (int from = 0; from < n; ++from) {
    float* row = m + from * n;
    const float highest = *std::max_element(row, row + n);
    double total = 0;
    for (int to = 0; to < n; ++to) total += row[to] = std::exp(row[to] - highest);
    for (int to = 0; to < n; ++to) row[to] = static_cast<float>(row[to] / total) + eps;
  }
  Normalise(m, n, n, 1, eps);
  for (int i = 1; i < iters; ++i) {
    Normalise(m, n, 1, n, eps);
    Normalise(m, n, n, 1, eps);
  }
}

void HcPreRow(const SimdKernels& simd, const HcPreArgs& args, std::int64_t t, const float* q) {
  const int n = args.n;
  const float* streams = F32Row(args.streams, t);
  const float* base = args.base.as<float>();
  const float* scale = args.scale.as<float>();
  const float norm = InverseRms(simd, streams, args.streams.cols, args.norm_eps);
  const auto logit = [&](int i, int kind) { return q[i] * norm * scale[kind] + base[i]; };
  float pre[kStreamsMax];
  for (int i = 0; i < n; ++i) pre[i] = Sigmoid(logit(i, 0)) + args.hc_eps;
  for (int i = 0; i < n; ++i) F32Row(args.post, t)[i] = 2.0f * Sigmoid(logit(n + i, 1));
  float* comb = F32Row(args.comb, t);
  for (int i = 0; i < n * n; ++i) comb[i] = logit(2 * n + i, 2);
  Sinkhorn(comb, n, args.sinkhorn_iters, args.hc_eps);
  simd.weighted_sum(F32Row(args.out, t), streams, args.out.cols, pre, n, args.out.cols);
}

}  // namespace

void StreamsExpand(Machine& machine, const StreamsExpandArgs& args) {
  CheckArgs(args);
  const std::int64_t hidden = args.x.cols;
  machine.pool.ForRanges(
      args.x.rows, RowGrain(args.streams.cols), [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t t = begin; t < end; ++t) {
          for (int j = 0; j < args.n; ++j) {
            std::copy_n(F32Row(args.x, t), hidden, F32Row(args.streams, t) + j * hidden);
          }
        }
      });
}

void StreamsSum(Machine& machine, const StreamsSumArgs& args) {
  CheckArgs(args);
  CHECK_LE(args.n, kStreamsMax);
  float ones[kStreamsMax];
  std::fill_n(ones, kStreamsMax, 1.0f);
  machine.pool.ForRanges(
      args.out.rows, RowGrain(args.streams.cols), [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t t = begin; t < end; ++t) {
          machine.simd->weighted_sum(F32Row(args.out, t), F32Row(args.streams, t), args.out.cols,
                                     ones, args.n, args.out.cols);
        }
      });
}

void HcPre(Machine& machine, const HcPreArgs& args) {
  CheckArgs(args);
  CHECK_LE(args.n, kStreamsMax);
  const Tensor q = Projections(machine, args.streams, args.fn);
  machine.pool.ForRanges(args.out.rows, RowGrain(args.streams.cols),
                         [&](std::int64_t begin, std::int64_t end, int) {
                           for (std::int64_t t = begin; t < end; ++t) {
                             HcPreRow(*machine.simd, args, t, F32Row(q, t));
                           }
                         });
}

void HcPost(Machine& machine, const HcPostArgs& args) {
  CheckArgs(args);
  CHECK_LE(args.n, kStreamsMax);
  machine.pool.ForRanges(args.x.rows, RowGrain(args.streams.cols),
                         [&](std::int64_t begin, std::int64_t end, int) {
                           for (std::int64_t t = begin; t < end; ++t) {
                             machine.simd->mix_streams(F32Row(args.streams, t), F32Row(args.x, t),
                                                       F32Row(args.post, t), F32Row(args.comb, t),
                                                       args.n, args.x.cols);
                           }
                         });
}

void HcHead(Machine& machine, const HcHeadArgs& args) {
  CheckArgs(args);
  CHECK_LE(args.n, kStreamsMax);
  const SimdKernels& simd = *machine.simd;
  const Tensor q = Projections(machine, args.streams, args.fn);
  const float* base = args.base.as<float>();
  const float scale = args.scale.as<float>()[0];
  machine.pool.ForRanges(
      args.out.rows, RowGrain(args.streams.cols), [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t t = begin; t < end; ++t) {
          const float* streams = F32Row(args.streams, t);
          const float norm = InverseRms(simd, streams, args.streams.cols, args.norm_eps);
          float mix[kStreamsMax];
          for (int j = 0; j < args.n; ++j) {
            mix[j] = Sigmoid(F32Row(q, t)[j] * norm * scale + base[j]) + args.hc_eps;
          }
          simd.weighted_sum(F32Row(args.out, t), streams, args.out.cols, mix, args.n,
                            args.out.cols);
        }
      });
}

}  // namespace engram::cpu
