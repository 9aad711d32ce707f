// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

// The paper's appendix A: key 00 … 0f, message 00 … 0e; and the reference vectors for shorter ones.
TEST(SipHash, ReferenceVectors) {
  const SipHashKey key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::vector<std::byte> message;
  for (int i = 0; i < 15; ++i) message.push_back(static_cast<std::byte>(i));
  const std::span<const std::byte> bytes(message);
  EXPECT_EQ(SipHash(key, bytes.first(0)), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(SipHash(key, bytes.first(1)), 0x74f839c593dc67fdu);
  EXPECT_EQ(SipHash(key, bytes.first(8)), 0x93f5f5799a932462u);
  EXPECT_EQ(SipHash(key, bytes), 0xa129ca6149be45e5u);
}

}  // namespace
}  // namespace engram
