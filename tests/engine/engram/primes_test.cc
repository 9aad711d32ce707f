// SPDX-License-Identifier: Apache-2.0
// Against a sieve for small numbers, trial division for table-sized ones, and the composites that
// fool Miller–Rabin with fewer bases.
#include "engine/engram/primes.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

bool IsPrimeByTrial(std::uint64_t n) {
  if (n < 2) return false;
  for (std::uint64_t divisor = 2; divisor * divisor <= n; ++divisor) {
    if (n % divisor == 0) return false;
  }
  return true;
}

TEST(PrimesTest, AgreesWithASieve) {
  constexpr std::uint64_t kEnd = 200'000;
  std::vector<bool> composite(kEnd, false);
  for (std::uint64_t n = 2; n < kEnd; ++n) {
    EXPECT_EQ(IsPrime(n), !composite[n]) << n;
    for (std::uint64_t multiple = n * n; multiple < kEnd; multiple += n) composite[multiple] = true;
  }
  EXPECT_FALSE(IsPrime(0));
  EXPECT_FALSE(IsPrime(1));
}

TEST(PrimesTest, IsNotFooledByStrongPseudoprimes) {
  EXPECT_FALSE(IsPrime(561));                  // Carmichael
  EXPECT_FALSE(IsPrime(3215031751));           // to bases 2, 3, 5, 7
  EXPECT_FALSE(IsPrime(341550071728321));      // to the first 7 primes
  EXPECT_FALSE(IsPrime(3825123056546413051));  // to the first 9 primes
  EXPECT_FALSE(IsPrime(std::uint64_t{4294967291} * 4294967291));
}

TEST(PrimesTest, KnowsTheLargestPrimes) {
  EXPECT_TRUE(IsPrime((std::uint64_t{1} << 61) - 1));
  EXPECT_TRUE(IsPrime(18446744073709551557u));
  for (std::uint64_t n = 18446744073709551558u; n != 0; ++n) EXPECT_FALSE(IsPrime(n)) << n;
}

TEST(PrimesTest, NextPrimeIsTheNextOne) {
  EXPECT_EQ(NextPrime(0), 2u);
  EXPECT_EQ(NextPrime(2), 3u);
  EXPECT_EQ(NextPrime(646399), 646403u);
  std::uint64_t prime = 78'125'000;  // sizes of the paper's 100-billion-parameter table
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t next = NextPrime(prime);
    for (std::uint64_t n = prime + 1; n < next; ++n) EXPECT_FALSE(IsPrimeByTrial(n)) << n;
    EXPECT_TRUE(IsPrimeByTrial(next)) << next;
    prime = next;
  }
}

}  // namespace
}  // namespace engram
