// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/op_checks.h"

namespace engram::cpu {
namespace {

// One row, one branch: everything around the three sums is scalar and exact enough in double.
float Gate(const EngramGateArgs& args, const float sums[3], std::int64_t hidden) {
  const double size = static_cast<double>(hidden);
  const double norms =
      std::sqrt(sums[0] / size + args.norm_eps) * std::sqrt(sums[1] / size + args.norm_eps);
  double score = sums[2] / norms / std::sqrt(size);
  if (args.gate_sqrt && score != 0) {
    score = std::copysign(std::sqrt(std::max(std::abs(score), 1e-6)), score);
  }
  return static_cast<float>(1.0 / (1.0 + std::exp(-score)));
}

// Block by block: a scale, and what it scales.
void DecodeScaledRow(const SimdKernels& simd, const EngramRowFormat& format, const void* row,
                     float* out) {
  const auto widen = simd.widen_scaled[format.dtype == DType::kI8 ? kScaledI8 : kScaledF8E4M3];
  const auto* const values = static_cast<const std::byte*>(row);
  const std::byte* const scales = values + format.value_bytes();
  for (int block = 0; block < format.scales(); ++block) {
    const int begin = block * format.scale_block;
    widen(out + begin, values + begin, ElementToF32(format.scale_dtype, scales, block),
          std::min(format.scale_block, format.head_dim - begin));
  }
}

void DecodeToken(const SimdKernels& simd, const EngramDecodeRowsArgs& args, std::int64_t token) {
  const EngramRowFormat& format = args.format;
  const std::int64_t lookups = args.out.cols / format.head_dim;
  float* const out = F32Row(args.out, token);
  const auto row = [&](std::int64_t h) { return WeightRow(args.rows, token * lookups + h); };
  if (!format.scaled() && args.rows.stride == args.rows.cols) {  // its rows lie side by side
    simd.widen[KindOf(format.dtype)](out, row(0), args.out.cols);
    return;
  }
  for (std::int64_t h = 0; h < lookups; ++h) {
    float* const to = out + h * format.head_dim;
    if (format.scaled()) {
      DecodeScaledRow(simd, format, row(h), to);
    } else {
      simd.widen[KindOf(format.dtype)](to, row(h), format.head_dim);
    }
  }
}

}  // namespace

void EngramDecodeRows(Machine& machine, const EngramDecodeRowsArgs& args) {
  CheckArgs(args);
  machine.pool.ForRanges(args.out.rows, RowGrain(args.out.cols),
                         [&](std::int64_t begin, std::int64_t end, int) {
                           for (std::int64_t t = begin; t < end; ++t) {
                             DecodeToken(*machine.simd, args, t);
                           }
                         });
}

void EngramGate(Machine& machine, const EngramGateArgs& args) {
  CheckArgs(args);
  const SimdKernels& simd = *machine.simd;
  const std::int64_t n = args.n;
  const std::int64_t hidden = args.value.cols / n;
  machine.pool.ForRanges(
      args.value.rows * n, RowGrain(4 * hidden), [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t t = i / n;
          const std::int64_t at = i % n * hidden;
          float& gate = F32Row(args.gates, t)[i % n];
          float* value = F32Row(args.value, t) + at;
          if (args.enabled.as<std::int32_t>()[t] == 0) {
            gate = 0;
            std::fill_n(value, hidden, 0.0f);
            continue;
          }
          float sums[3];
          simd.gate_sums(sums, F32Row(args.streams, t) + at, args.q_weight.as<float>() + at,
                         F32Row(args.kv, t) + at, args.k_weight.as<float>() + at, hidden);
          gate = Gate(args, sums, hidden);
          simd.scale(value, F32Row(args.kv, t) + n * hidden, nullptr, gate, hidden);
        }
      });
}

}  // namespace engram::cpu
