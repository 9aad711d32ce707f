// SPDX-License-Identifier: Apache-2.0
// Rows of any length as vectors, and weights of any dtype as f32 vectors. Part of a leaf: see
// leaf.h.
#pragma once

#include <cstdint>

namespace engram::cpu {
namespace {

struct F32 {
  using Element = float;
  static Vec Widen(const float* p) { return Load(p); }
};
struct BF16 {
  using Element = std::uint16_t;
  static Vec Widen(const std::uint16_t* p) { return LoadBF16(p); }
};
struct F16 {
  using Element = std::uint16_t;
  static Vec Widen(const std::uint16_t* p) { return LoadF16(p); }
};
struct I8 {
  using Element = std::int8_t;
  static Vec Widen(const std::int8_t* p) { return LoadI8(p); }
};
struct F8E4M3 {
  using Element = std::uint8_t;
  static Vec Widen(const std::uint8_t* p) { return LoadF8E4M3(p); }
};

// The first `count` lanes, the others 0.
template <typename W>
Vec Widen(const typename W::Element* p, int count) {
  typename W::Element padded[kLanes] = {};
  for (int i = 0; i < count; ++i) padded[i] = p[i];
  return W::Widen(padded);
}

// Calls body(i, lanes) for i = 0, kLanes, … below count; `lanes` is less than kLanes at the end.
template <typename Body>
inline void ForLanes(std::int64_t count, const Body& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) body(i, kLanes);
  if (i < count) body(i, static_cast<int>(count - i));
}

inline Vec LoadLanes(const float* p, int lanes) {
  return lanes == kLanes ? Load(p) : Load(p, lanes);
}

inline void StoreLanes(float* p, Vec x, int lanes) {
  lanes == kLanes ? Store(p, x) : Store(p, x, lanes);
}

}  // namespace
}  // namespace engram::cpu
