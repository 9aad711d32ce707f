// SPDX-License-Identifier: Apache-2.0
// Prime numbers of 64 bits, by the Miller–Rabin test with bases that make it exact: an Engram
// table's sizes are primes near a base of up to many millions, so a sieve would be larger than the
// answer.
#pragma once

#include <cstdint>

namespace engram {

bool IsPrime(std::uint64_t n);

// The smallest prime > n. REQUIRES: n < 2^63, so that there is one in 64 bits.
std::uint64_t NextPrime(std::uint64_t n);

}  // namespace engram
