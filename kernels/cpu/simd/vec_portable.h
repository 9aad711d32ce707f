// SPDX-License-Identifier: Apache-2.0
// Vec for any machine: four lanes in the compiler's own vector type, multiply and add as two steps.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace engram::cpu {
namespace {

using Vec = float __attribute__((vector_size(16)));
using Int = std::int32_t __attribute__((vector_size(16)));

constexpr int kLanes = 4;
// DotTile's columns for 1, 2, … rows: the accumulators and operands fit 16 registers.
constexpr int kTileCols[] = {8, 4, 3, 3};

inline Vec Set(float x) { return Vec{x, x, x, x}; }
inline Vec Load(const float* p) { return Vec{p[0], p[1], p[2], p[3]}; }
inline void Store(float* p, Vec x) {
  for (int i = 0; i < kLanes; ++i) p[i] = x[i];
}
inline Vec Load(const float* p, int count) {
  Vec x = {};
  for (int i = 0; i < count; ++i) x[i] = p[i];
  return x;
}
inline void Store(float* p, Vec x, int count) {
  for (int i = 0; i < count; ++i) p[i] = x[i];
}
inline Vec LoadBF16(const std::uint16_t* p) {
  return Vec{BF16ToF32(p[0]), BF16ToF32(p[1]), BF16ToF32(p[2]), BF16ToF32(p[3])};
}
inline Vec LoadF16(const std::uint16_t* p) {
  return Vec{F16ToF32(p[0]), F16ToF32(p[1]), F16ToF32(p[2]), F16ToF32(p[3])};
}
inline Vec LoadI8(const std::int8_t* p) {
  return __builtin_convertvector((Int{p[0], p[1], p[2], p[3]}), Vec);
}
inline Vec LoadF8E4M3(const std::uint8_t* p) {
  return Vec{F8E4M3ToF32(p[0]), F8E4M3ToF32(p[1]), F8E4M3ToF32(p[2]), F8E4M3ToF32(p[3])};
}
inline Vec MulAdd(Vec a, Vec b, Vec c) { return a * b + c; }
// The second where they do not compare, as the x86 instructions.
inline Vec Max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec Min(Vec a, Vec b) { return a < b ? a : b; }
inline float Sum(Vec x) { return (x[0] + x[2]) + (x[1] + x[3]); }
inline float Highest(Vec x) {
  const float a = x[0] > x[2] ? x[0] : x[2];
  const float b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
}
// To the nearest integer, for |x| < 2^22.
inline Vec Round(Vec x) { return (x + Set(0x1.8p23f)) - Set(0x1.8p23f); }
// 2^n for an integer n in [−126, 127].
inline Vec PowerOfTwo(Vec n) {
  const Int bits = (__builtin_convertvector(n, Int) + 127) << 23;
  return reinterpret_cast<Vec>(bits);
}

}  // namespace
}  // namespace engram::cpu
