// SPDX-License-Identifier: Apache-2.0
// Miller–Rabin: n − 1 = odd · 2^twos; a prime n has b^odd = 1 or b^(odd · 2^i) = −1 for some i <
// twos, for every base b. The first twelve primes as bases leave no composite below 3.3 · 10^24
// undetected (Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2017).
#include "engine/engram/primes.h"

#include <bit>

#include "base/check.h"

namespace engram {
namespace {

constexpr std::uint64_t kBases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};

std::uint64_t MultiplyMod(std::uint64_t a, std::uint64_t b, std::uint64_t n) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(a) * b % n);
}

std::uint64_t PowerMod(std::uint64_t base, std::uint64_t exponent, std::uint64_t n) {
  std::uint64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = MultiplyMod(result, base, n);
    base = MultiplyMod(base, base, n);
  }
  return result;
}

bool PassesFor(std::uint64_t base, std::uint64_t n, std::uint64_t odd, int twos) {
  std::uint64_t power = PowerMod(base, odd, n);
  if (power == 1) return true;
  for (int i = 0; i < twos; ++i) {
    if (power == n - 1) return true;
    power = MultiplyMod(power, power, n);
  }
  return false;
}

}  // namespace

bool IsPrime(std::uint64_t n) {
  if (n < 2) return false;
  for (const std::uint64_t prime : kBases) {
    if (n % prime == 0) return n == prime;
  }
  const int twos = std::countr_zero(n - 1);
  for (const std::uint64_t base : kBases) {
    if (!PassesFor(base, n, (n - 1) >> twos, twos)) return false;
  }
  return true;
}

std::uint64_t NextPrime(std::uint64_t n) {
  CHECK_LT(n, std::uint64_t{1} << 63);
  do ++n;
  while (!IsPrime(n));
  return n;
}

}  // namespace engram
