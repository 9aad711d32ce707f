// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4: a keyed hash that a client who does not know the key cannot steer into collisions.
// Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace engram {

using SipHashKey = std::array<std::uint64_t, 2>;

std::uint64_t SipHash(const SipHashKey& key, std::span<const std::byte> bytes);

}  // namespace engram
