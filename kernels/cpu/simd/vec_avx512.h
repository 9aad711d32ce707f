// SPDX-License-Identifier: Apache-2.0
// Vec for AVX-512 F + BW + VL: sixteen lanes. Only for leaf_avx512.cc.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace engram::cpu {
namespace {

using Vec = __m512;

constexpr int kLanes = 16;
// DotTile's columns for 1, 2, … rows: the accumulators and operands fit 32 registers.
constexpr int kTileCols[] = {8, 8, 6, 6, 4, 4};

inline Vec Set(float x) { return _mm512_set1_ps(x); }
inline Vec Load(const float* p) { return _mm512_loadu_ps(p); }
inline void Store(float* p, Vec x) { _mm512_storeu_ps(p, x); }

// The first `count` lanes.
inline __mmask16 Mask(int count) { return static_cast<__mmask16>((1u << count) - 1); }
inline Vec Load(const float* p, int count) { return _mm512_maskz_loadu_ps(Mask(count), p); }
inline void Store(float* p, Vec x, int count) { _mm512_mask_storeu_ps(p, Mask(count), x); }

inline Vec LoadBF16(const std::uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline Vec LoadF16(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Vec LoadI8(const std::int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
// Shifted into an f16, whose exponents mean 2^8 less. What would be 480 is NaN.
inline Vec LoadF8E4M3(const std::uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m256i wide = _mm256_cvtepu8_epi16(bytes);
  const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x80)), 8);
  const __m256i magnitude = _mm256_slli_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x7f)), 7);
  const Vec value = _mm512_cvtph_ps(_mm256_or_si256(sign, magnitude)) * Set(0x1.0p8f);
  const __mmask16 is_nan = _mm512_cmp_ps_mask(_mm512_abs_ps(value), Set(480.0f), _CMP_EQ_OQ);
  return _mm512_mask_blend_ps(is_nan, value, Set(__builtin_nanf("")));
}
inline Vec MulAdd(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec Max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec Min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline float Sum(Vec x) { return _mm512_reduce_add_ps(x); }
inline float Highest(Vec x) { return _mm512_reduce_max_ps(x); }
inline Vec Round(Vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// 2^n for an integer n in [−126, 127].
inline Vec PowerOfTwo(Vec n) {
  const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
}

}  // namespace
}  // namespace engram::cpu
