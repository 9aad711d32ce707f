// SPDX-License-Identifier: Apache-2.0
// The few scalar pieces that the reference's formulas are made of.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/tensor.h"

namespace engram::ref {

inline float* F32Row(const Tensor& t, std::int64_t row) { return t.as<float>() + row * t.stride; }

inline std::int32_t* I32Row(const Tensor& t, std::int64_t row) {
  return t.as<std::int32_t>() + row * t.stride;
}

// Element `i` of a [1, n] list in device memory, checked against what it indexes.
inline std::int64_t IndexAt(const Tensor& list, std::int64_t i, std::int64_t limit) {
  const std::int32_t value = list.as<std::int32_t>()[i];
  CHECK_GE(value, 0);
  CHECK_LT(value, limit);
  return value;
}

// Σ a·b in double. Four partial sums, only because one would wait for itself at every term.
inline double Dot(const float* a, const float* b, std::int64_t count) {
  double sums[4] = {0, 0, 0, 0};
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int j = 0; j < 4; ++j) sums[j] += static_cast<double>(a[i + j]) * b[i + j];
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(a[i]) * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// 1 / √(mean(x²) + eps)
inline double InverseRms(const float* x, std::int64_t count, double eps) {
  return 1.0 / std::sqrt(Dot(x, x, count) / static_cast<double>(count) + eps);
}

inline double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

inline double Silu(double x) { return x * Sigmoid(x); }

}  // namespace engram::ref
