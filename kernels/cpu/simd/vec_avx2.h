// SPDX-License-Identifier: Apache-2.0
// Vec for AVX2 + FMA + F16C: eight lanes. Only for leaf_avx2.cc.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace engram::cpu {
namespace {

using Vec = __m256;

constexpr int kLanes = 8;
// DotTile's columns for 1, 2, … rows: the accumulators and operands fit 16 registers.
constexpr int kTileCols[] = {8, 4, 3, 3};

inline Vec Set(float x) { return _mm256_set1_ps(x); }
inline Vec Load(const float* p) { return _mm256_loadu_ps(p); }
inline void Store(float* p, Vec x) { _mm256_storeu_ps(p, x); }

// The first `count` lanes.
inline __m256i Mask(int count) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes);
}
inline Vec Load(const float* p, int count) { return _mm256_maskload_ps(p, Mask(count)); }
inline void Store(float* p, Vec x, int count) { _mm256_maskstore_ps(p, Mask(count), x); }

inline Vec LoadBF16(const std::uint16_t* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline Vec LoadF16(const std::uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Vec LoadI8(const std::int8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
// Shifted into an f16, whose exponents mean 2^8 less. What would be 480 is NaN.
inline Vec LoadF8E4M3(const std::uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const __m128i wide = _mm_cvtepu8_epi16(bytes);
  const __m128i sign = _mm_slli_epi16(_mm_and_si128(wide, _mm_set1_epi16(0x80)), 8);
  const __m128i magnitude = _mm_slli_epi16(_mm_and_si128(wide, _mm_set1_epi16(0x7f)), 7);
  const Vec value = _mm256_cvtph_ps(_mm_or_si128(sign, magnitude)) * Set(0x1.0p8f);
  const Vec absolute = _mm256_andnot_ps(Set(-0.0f), value);
  const Vec is_nan = _mm256_cmp_ps(absolute, Set(480.0f), _CMP_EQ_OQ);
  return _mm256_blendv_ps(value, Set(__builtin_nanf("")), is_nan);
}
inline Vec MulAdd(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec Max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec Min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline float Sum(Vec x) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float Highest(Vec x) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline Vec Round(Vec x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// 2^n for an integer n in [−126, 127].
inline Vec PowerOfTwo(Vec n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}

}  // namespace
}  // namespace engram::cpu
