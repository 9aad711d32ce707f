// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/op_checks.h"
#include "kernels/ref/ref_ops.h"
#include "kernels/ref/scalar.h"

namespace engram::ref {
namespace {

// ⟨norm(h) q, norm(k) w⟩ / √D
double GateScore(const float* h, const float* q_weight, const float* key, const float* k_weight,
                 std::int64_t hidden, double eps) {
  double dot = 0;
  for (std::int64_t d = 0; d < hidden; ++d) {
    dot += static_cast<double>(h[d]) * q_weight[d] * (static_cast<double>(key[d]) * k_weight[d]);
  }
  return dot * InverseRms(h, hidden, eps) * InverseRms(key, hidden, eps) /
         std::sqrt(static_cast<double>(hidden));
}

double Gate(double score, bool gate_sqrt) {
  if (!gate_sqrt) return Sigmoid(score);
  if (score == 0) return 0.5;
  return Sigmoid(std::copysign(std::sqrt(std::max(std::abs(score), 1e-6)), score));
}

// x̂ at `row` of the step, or before the slice's first row, from its source entry.
const float* NormedAt(const EngramConvArgs& args, std::size_t slice, std::int64_t row) {
  const std::int64_t before = args.slice_first_row[slice] - row;  // > 0: in the past
  if (before <= 0) return F32Row(args.normed, row);
  const std::int64_t window = ConvWindow(args);
  return F32Row(args.state, (args.slice_source[slice] + std::int64_t{1}) * window - before);
}

void ConvolveRow(const EngramConvArgs& args, std::size_t slice, std::int64_t row) {
  const std::int64_t taps = args.conv_weight.cols;
  std::vector<const float*> normed(taps);  // [taps][n·D]: x̂ of the rows that the kernel sees
  for (std::int64_t j = 0; j < taps; ++j) {
    normed[j] = NormedAt(args, slice, row - (taps - 1 - j) * args.dilation);
  }
  const float* value = F32Row(args.value, row);
  float* streams = F32Row(args.streams, row);
  for (std::int64_t c = 0; c < args.streams.cols; ++c) {
    const float* weight = F32Row(args.conv_weight, c);
    double y = 0;
    for (std::int64_t j = 0; j < taps; ++j) y += static_cast<double>(weight[j]) * normed[j][c];
    streams[c] = static_cast<float>(streams[c] + Silu(y) + value[c]);
  }
}

// The windows that `state` is to hold after this step, all read before the first is written: a
// window may reach back into the very entry that another one replaces.
void StoreWindows(const EngramConvArgs& args) {
  const std::int64_t window = ConvWindow(args);
  const std::int64_t channels = args.state.cols;
  std::vector<float> windows;
  for (std::size_t w = 0; w < args.write_slice.size(); ++w) {
    for (std::int64_t i = 0; i < window; ++i) {
      const std::int64_t row = args.write_after_row[w] - (window - 1 - i);
      const float* normed = NormedAt(args, args.write_slice[w], row);
      windows.insert(windows.end(), normed, normed + channels);
    }
  }
  const float* from = windows.data();
  for (std::size_t w = 0; w < args.write_slice.size(); ++w) {
    for (std::int64_t i = 0; i < window; ++i, from += channels) {
      std::copy_n(from, channels, F32Row(args.state, args.write_entry[w] * window + i));
    }
  }
}

void DecodeRow(const EngramRowFormat& format, const void* row, float* out) {
  const void* const scales = static_cast<const std::byte*>(row) + format.value_bytes();
  for (int i = 0; i < format.head_dim; ++i) {
    const float value = ElementToF32(format.dtype, row, i);
    out[i] = format.scaled()
                 ? value * ElementToF32(format.scale_dtype, scales, i / format.scale_block)
                 : value;
  }
}

}  // namespace

void EngramDecodeRows(const EngramDecodeRowsArgs& args) {
  CheckArgs(args);
  const std::int64_t width = args.format.head_dim;
  const std::int64_t lookups = args.out.cols / width;
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    for (std::int64_t h = 0; h < lookups; ++h) {
      DecodeRow(args.format, args.rows.Rows(t * lookups + h, 1).data,
                F32Row(args.out, t) + h * width);
    }
  }
}

void EngramGate(const EngramGateArgs& args) {
  CheckArgs(args);
  const std::int64_t hidden = args.value.cols / args.n;
  for (std::int64_t t = 0; t < args.value.rows; ++t) {
    const bool enabled = args.enabled.as<std::int32_t>()[t] != 0;
    const float* keys = F32Row(args.kv, t);
    const float* memory = keys + args.n * hidden;
    for (int m = 0; m < args.n; ++m) {
      const std::int64_t at = m * hidden;
      const double score =
          GateScore(F32Row(args.streams, t) + at, args.q_weight.as<float>() + at, keys + at,
                    args.k_weight.as<float>() + at, hidden, args.norm_eps);
      const double gate = enabled ? Gate(score, args.gate_sqrt) : 0.0;
      F32Row(args.gates, t)[m] = static_cast<float>(gate);
      float* value = F32Row(args.value, t) + at;
      for (std::int64_t d = 0; d < hidden; ++d) {
        value[d] = enabled ? static_cast<float>(gate * memory[d]) : 0.0f;
      }
    }
  }
}

void EngramConv(const EngramConvArgs& args) {
  CheckArgs(args);
  const std::int64_t hidden = args.streams.cols / args.n;
  for (int m = 0; m < args.n; ++m) {
    RmsNorm({.out = args.normed.Cols(m * hidden, hidden),
             .x = args.value.Cols(m * hidden, hidden),
             .weight = args.norm_weight.Cols(m * hidden, hidden),
             .eps = args.eps});
  }
  for (std::size_t s = 0; s < args.slice_first_row.size(); ++s) {
    for (std::int64_t i = 0; i < args.slice_row_count[s]; ++i) {
      ConvolveRow(args, s, args.slice_first_row[s] + i);
    }
  }
  StoreWindows(args);
}

}  // namespace engram::ref
