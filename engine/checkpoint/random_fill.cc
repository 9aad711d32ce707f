// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/random_fill.h"

#include <algorithm>
#include <bit>
#include <thread>
#include <vector>

#include "base/check.h"

namespace engram {
namespace {

constexpr std::size_t kRun = 256;                   // elements that one hash makes
constexpr std::size_t kPlaces = 1 << 16;            // where a run may begin in the pool
constexpr std::size_t kRunsPerThreadMin = 1 << 12;  // a thread for less costs more than it saves

// Bijective mixing of 64 bits (Stafford's variant 13, as in SplitMix64).
std::uint64_t Mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t Hash(std::uint64_t key, std::uint64_t index) {
  return Mix(key + (index + 1) * 0x9e3779b97f4a7c15);
}

// The sum of four uniform 16-bit numbers, to mean 0 and deviation 1: theirs are 2 · 65535 and
// √(4 (65536² − 1) / 12).
float Normal(std::uint64_t bits) {
  const auto sum = static_cast<std::int32_t>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                             (bits >> 32 & 0xffff) + (bits >> 48));
  return static_cast<float>(sum - 2 * 65535) * (1 / 37837.2f);
}

// Round to nearest, ties to even.
std::uint16_t F32ToF16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const float magnitude = std::bit_cast<float>(bits & 0x7fffffff);
  if (magnitude >= 65520.0f) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (magnitude < 0x1p-14f) {
    // Subnormal: multiples of 2^−24. Adding 0.5 puts them into the last bits of the fraction, where
    // the addition itself rounds.
    const std::uint32_t shifted = std::bit_cast<std::uint32_t>(magnitude + 0.5f);
    return static_cast<std::uint16_t>(sign | (shifted - std::bit_cast<std::uint32_t>(0.5f)));
  }
  const std::uint32_t rounded = (bits & 0x7fffffff) + 0xfff + (bits >> 13 & 1);
  return static_cast<std::uint16_t>(sign | ((rounded - (112u << 23)) >> 13));
}

// Calls make_run(run) for all `runs`, on several threads if they are many.
template <typename MakeRun>
void ForEachRun(std::size_t runs, const MakeRun& make_run) {
  const auto make_runs = [&](std::size_t begin, std::size_t end) {
    for (std::size_t run = begin; run < end; ++run) make_run(run);
  };
  const std::size_t threads = std::clamp<std::size_t>(
      runs / kRunsPerThreadMin, 1, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> helpers;
  for (std::size_t i = 1; i < threads; ++i) {
    helpers.emplace_back(make_runs, runs * i / threads, runs * (i + 1) / threads);
  }
  make_runs(0, runs / threads);
  for (std::thread& helper : helpers) helper.join();
}

template <typename T, typename Convert>
void FillAs(std::span<std::byte> bytes, std::span<const float> pool, std::uint64_t key, float scale,
            Convert convert) {
  const std::span<T> out(reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T));
  if (scale == 0) {
    std::fill(out.begin(), out.end(), convert(1.0f));
    return;
  }
  ForEachRun((out.size() + kRun - 1) / kRun, [&](std::size_t run) {
    T* const to = out.data() + run * kRun;
    const float* const from = pool.data() + Hash(key, run) % kPlaces;
    const std::size_t count = std::min(kRun, out.size() - run * kRun);
    if (count == kRun) {  // a fixed count, which the compiler makes vectors of
      for (std::size_t i = 0; i < kRun; ++i) to[i] = convert(from[i] * scale);
    } else {
      for (std::size_t i = 0; i < count; ++i) to[i] = convert(from[i] * scale);
    }
  });
}

}  // namespace

bool CanFillRandom(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16;
}

RandomFiller::RandomFiller(std::uint64_t seed) : pool_(kPlaces + kRun) {
  for (std::size_t i = 0; i < pool_.size(); ++i) pool_[i] = Normal(Hash(Mix(seed), i));
}

void RandomFiller::Fill(std::span<std::byte> out, DType dtype, std::uint64_t key,
                        float standard_deviation) const {
  CHECK(CanFillRandom(dtype));
  CHECK_EQ(out.size() % DTypeBytes(dtype), 0u);
  if (dtype == DType::kF32) {
    FillAs<float>(out, pool_, key, standard_deviation, [](float value) { return value; });
  } else if (dtype == DType::kBF16) {
    FillAs<std::uint16_t>(out, pool_, key, standard_deviation,
                          [](float value) { return F32ToBF16(value); });
  } else {
    FillAs<std::uint16_t>(out, pool_, key, standard_deviation,
                          [](float value) { return F32ToF16(value); });
  }
}

}  // namespace engram
