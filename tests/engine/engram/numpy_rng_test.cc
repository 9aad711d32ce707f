// SPDX-License-Identifier: Apache-2.0
// Against NumPy itself: the raw states and draws of specification part E, and ranges of every width
// drawn with NumPy 2.4.6.
#include "engine/engram/numpy_rng.h"

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

UInt128 Join(std::uint64_t high, std::uint64_t low) {
  return static_cast<UInt128>(high) << 64 | low;
}

struct RawVector {
  std::uint64_t seed;
  std::array<std::uint32_t, 4> pool;
  UInt128 state;
  UInt128 increment;
  std::array<std::uint64_t, 4> draws;
};

const RawVector kRawVectors[] = {
    {0,
     {0xfe40eb07, 0x4f363a36, 0x4eb2009d, 0xc89a7aa7},
     Join(0x1aa1b5345996452d, 0x09585eb7a69561e3),
     Join(0x418ddadb3af71a82, 0x588133bc447873a9),
     {0xa30febcfd9c2825f, 0x4510bdf882d9d721, 0x0a7d3da94ecde8b8, 0x043b27b61342f01d}},
    {10007,
     {0xf1a1018d, 0xa7c60c02, 0xfd15d50a, 0x03b81232},
     Join(0x3b34af7676e8ddd5, 0x556a026c98a77d27),
     Join(0xabf2e5bd90d31c92, 0xfaf3d75d79e291bd),
     {0xd2c3f84026661e33, 0x0d4fb6969eb57435, 0x62e6e1c58c3bd72b, 0xcb7dd1a94ca96343}},
    {150105,
     {0x196a3a42, 0x1b2b79cb, 0x3b1ed228, 0x5f64b947},
     Join(0xf0ccf291151d98f4, 0x9247ba0780aac5d0),
     Join(0x22399eac7a2534ab, 0x1712ef6e70ee2e35),
     {0x4f89ad78fbc7dd5c, 0x9a137055dc96262c, 0x9452f33fd7e4f773, 0x5a98e032b245cd23}},
};

TEST(NumpyRngTest, SeedingAndRawDrawsAreNumpys) {
  for (const RawVector& vector : kRawVectors) {
    SCOPED_TRACE(vector.seed);
    EXPECT_EQ(SeedSequencePool(vector.seed), vector.pool);
    NumpyGenerator generator(vector.seed);
    EXPECT_TRUE(generator.state() == vector.state);
    EXPECT_TRUE(generator.increment() == vector.increment);
    for (const std::uint64_t draw : vector.draws) EXPECT_EQ(generator.Next64(), draw);
  }
}

struct BoundedVector {
  UInt128 seed;
  std::int64_t low;
  std::int64_t high;
  std::vector<std::int64_t> draws;
};

void ExpectDraws(const std::vector<BoundedVector>& vectors) {
  for (const BoundedVector& vector : vectors) {
    SCOPED_TRACE(testing::Message() << "seed " << static_cast<std::uint64_t>(vector.seed) << " in ["
                                    << vector.low << ", " << vector.high << ")");
    NumpyGenerator generator(vector.seed);
    for (const std::int64_t draw : vector.draws) {
      EXPECT_EQ(generator.Integer(vector.low, vector.high), draw);
    }
  }
}

TEST(NumpyRngTest, MultiplierRangesOfTheSpecification) {
  constexpr std::int64_t kV129280 = 35672076256399;  // (2^63 − 1) / 129280 / 2
  constexpr std::int64_t kV98627 = 46758859322775;
  ExpectDraws({
      {0, 0, kV129280, {22721745882535, 9623852226348, 1461610670345, 589575074911}},
      {10007, 0, kV129280, {29368918863762, 1854861547952, 13781388650482, 28355326591223}},
      {150105, 0, kV129280, {11083119461512, 21469564163972, 20668069928128, 12624176531979}},
      {20014, 0, kV129280, {29321156368087, 14217573171708, 8679512410977, 27373150142722}},
      {140098, 0, kV129280, {25952174388051, 19741293577955, 11850472373963, 31663460670289}},
      {0, 0, kV98627, {29783601931461, 12614918996038, 1915875241690, 772813384616}},
      {10007, 0, kV98627, {38496697970203, 2431347409120, 18064606291730, 37168084010600}},
      {150105, 0, kV98627, {14527722469347, 28142245583039, 27091649145857, 16547735833537}},
  });
}

TEST(NumpyRngTest, NarrowRangesTakeThe32BitPath) {
  ExpectDraws({
      {0, 0, 1, {0, 0, 0}},
      {0, 0, 10, {8, 6, 5, 2, 3, 0, 0, 0}},
      {1, -5, 6, {0, 0, 3, 5, -5, -4, 4, 5}},
      // A third of the draws is rejected and redrawn.
      {3,
       0,
       3000000000,
       {2434513622, 256947500, 538322202, 710431519, 544094361, 2403823395, 1746486107, 282385926}},
      {7, 0, 4294967295, {4058335882, 2684764584, 2938530452, 3853503931, 2483747169}},
      {7, 0, 4294967296, {4058335883, 2684764585, 2938530453, 3853503932, 2483747170}},
  });
}

TEST(NumpyRngTest, WideRangesTakeThe64BitPath) {
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  ExpectDraws({
      {3, 0, 4294967297, {367860371, 1017093381, 3441447623, 2500366906}},
      {9,
       0,
       6917529027641081856,
       {6019974129744605868, 4172294835949698407, 4953467036239998961, 6332168554818677320,
        6351935453217137864, 183921424958817184}},
      {9, kMin, kMax, {6829892309130839840, -3932528384880999393, 1902747525677753277}},
  });
}

TEST(NumpyRngTest, SeedsMayBeWiderThanAWord) {
  constexpr std::int64_t kHigh = 46758859322775;
  ExpectDraws({
      {UInt128{1} << 40, 0, kHigh, {16871044085854, 29375797368304, 46535789535521}},
      {0xffffffffffffffff, 0, kHigh, {31797271817303, 39525813602510, 346159651054}},
      {Join(1, 10007), 0, kHigh, {17098241878010, 1903945719494, 4397280260848, 25917646722205}},
  });
}

TEST(NumpyRngTest, A64BitDrawKeepsTheBufferedHalf) {
  NumpyGenerator generator(11);
  const std::vector<std::int64_t> first = {generator.Integer(0, 10), generator.Integer(0, 10),
                                           generator.Integer(0, 10)};
  EXPECT_EQ(first, (std::vector<std::int64_t>{1, 1, 7}));
  EXPECT_EQ(generator.Integer(0, 46758859322775), 28125377086990);
  EXPECT_EQ(generator.Integer(0, 10), 4);
  EXPECT_EQ(generator.Integer(0, 10), 7);
}

TEST(NumpyRngDeathTest, AnEmptyRangeEndsTheProcess) {
  NumpyGenerator generator(0);
  EXPECT_DEATH(generator.Integer(5, 5), "low < high");
}

}  // namespace
}  // namespace engram
