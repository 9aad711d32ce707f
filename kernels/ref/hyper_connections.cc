// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/op_checks.h"
#include "kernels/ref/ref_ops.h"
#include "kernels/ref/scalar.h"

namespace engram::ref {
namespace {

// q = (x̄ fnᵀ) · rsqrt(mean(x̄²) + eps), x̄ being all streams of one row as one vector.
std::vector<double> Mixes(const float* streams, const Tensor& fn, double eps) {
  const double scale = InverseRms(streams, fn.cols, eps);
  std::vector<double> q(fn.rows);
  for (std::int64_t i = 0; i < fn.rows; ++i) q[i] = Dot(streams, F32Row(fn, i), fn.cols) * scale;
  return q;
}

// Softmax over `to`, then alternately columns and rows divided by their sums: a matrix whose rows
// and columns all add up to one, nearly.
void Sinkhorn(std::vector<double>& m, int n, int iters, double eps) {
  const auto normalise_rows = [&] {
    for (int from = 0; from < n; ++from) {
      double total = eps;
      for (int to = 0; to < n; ++to) total += m[from * n + to];
      for (int to = 0; to < n; ++to) m[from * n + to] /= total;
    }
  };
  const auto normalise_columns = [&] {
    for (int to = 0; to < n; ++to) {
      double total = eps;
      for (int from = 0; from < n; ++from) total += m[from * n + to];
      for (int from = 0; from < n; ++from) m[from * n + to] /= total;
    }
  };
  for (int from = 0; from < n; ++from) {
    double* row = m.data() + from * n;
    const double highest = *std::max_element(row, row + n);
    double total = 0;
    for (int to = 0; to < n; ++to) total += row[to] = std::exp(row[to] - highest);
    for (int to = 0; to < n; ++to) row[to] = row[to] / total + eps;
  }
  normalise_columns();
  for (int i = 1; i < iters; ++i) {
    normalise_rows();
    normalise_columns();
  }
}

// out = Σ_j weights[j] · stream j
void WeightedStreams(float* out, const float* streams, const std::vector<double>& weights,
                     std::int64_t hidden) {
  for (std::int64_t d = 0; d < hidden; ++d) {
    double sum = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) sum += weights[j] * streams[j * hidden + d];
    out[d] = static_cast<float>(sum);
  }
}

}  // namespace

void StreamsExpand(const StreamsExpandArgs& args) {
  CheckArgs(args);
  for (std::int64_t t = 0; t < args.x.rows; ++t) {
    for (int j = 0; j < args.n; ++j) {
      std::copy_n(F32Row(args.x, t), args.x.cols, F32Row(args.streams, t) + j * args.x.cols);
    }
  }
}

void StreamsSum(const StreamsSumArgs& args) {
  CheckArgs(args);
  const std::vector<double> ones(args.n, 1.0);
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    WeightedStreams(F32Row(args.out, t), F32Row(args.streams, t), ones, args.out.cols);
  }
}

void HcPre(const HcPreArgs& args) {
  CheckArgs(args);
  const int n = args.n;
  const float* base = args.base.as<float>();
  const float* scale = args.scale.as<float>();
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    const float* streams = F32Row(args.streams, t);
    const std::vector<double> q = Mixes(streams, args.fn, args.norm_eps);
    std::vector<double> pre(n);
    for (int i = 0; i < n; ++i) {
      pre[i] = Sigmoid(q[i] * scale[0] + base[i]) + args.hc_eps;
      F32Row(args.post, t)[i] =
          static_cast<float>(2.0 * Sigmoid(q[n + i] * scale[1] + base[n + i]));
    }
    std::vector<double> comb(n * n);
    for (int i = 0; i < n * n; ++i) comb[i] = q[2 * n + i] * scale[2] + base[2 * n + i];
    Sinkhorn(comb, n, args.sinkhorn_iters, args.hc_eps);
    std::copy(comb.begin(), comb.end(), F32Row(args.comb, t));
    WeightedStreams(F32Row(args.out, t), streams, pre, args.out.cols);
  }
}

void HcPost(const HcPostArgs& args) {
  CheckArgs(args);
  const int n = args.n;
  const std::int64_t hidden = args.x.cols;
  std::vector<double> mixed(n);
  for (std::int64_t t = 0; t < args.x.rows; ++t) {
    const float* x = F32Row(args.x, t);
    const float* post = F32Row(args.post, t);
    const float* comb = F32Row(args.comb, t);
    float* streams = F32Row(args.streams, t);
    for (std::int64_t d = 0; d < hidden; ++d) {
      for (int k = 0; k < n; ++k) {
        mixed[k] = static_cast<double>(post[k]) * x[d];
        for (int j = 0; j < n; ++j) {
          mixed[k] += static_cast<double>(comb[j * n + k]) * streams[j * hidden + d];
        }
      }
      for (int k = 0; k < n; ++k) streams[k * hidden + d] = static_cast<float>(mixed[k]);
    }
  }
}

void HcHead(const HcHeadArgs& args) {
  CheckArgs(args);
  const float* base = args.base.as<float>();
  const float scale = args.scale.as<float>()[0];
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    const float* streams = F32Row(args.streams, t);
    std::vector<double> mix = Mixes(streams, args.fn, args.norm_eps);
    for (int j = 0; j < args.n; ++j) mix[j] = Sigmoid(mix[j] * scale + base[j]) + args.hc_eps;
    WeightedStreams(F32Row(args.out, t), streams, mix, args.out.cols);
  }
}

}  // namespace engram::ref
