// SPDX-License-Identifier: Apache-2.0
// Checkpoint::Dummy: weights made from names and shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/strings.h"
#include "engine/checkpoint/checkpoint.h"

namespace engram {
namespace {

using testing::Each;
using testing::HasSubstr;

const std::vector<DType> kFloats = {DType::kF32, DType::kBF16, DType::kF16};

std::vector<std::byte> BytesOf(Checkpoint* checkpoint, const TensorSpec& spec) {
  const auto tensor = checkpoint->Get(spec);
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  if (!tensor.ok()) return {};
  return {(*tensor)->bytes.begin(), (*tensor)->bytes.end()};
}

TEST(DummyCheckpointTest, MakesWhatIsAskedFor) {
  const auto checkpoint = Checkpoint::Dummy(1, DType::kBF16);
  const auto tensor = checkpoint->Get({.name = "w", .shape = {30, 40}, .dtypes = kFloats});
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ((*tensor)->name, "w");
  EXPECT_EQ((*tensor)->dtype, DType::kBF16);
  EXPECT_EQ((*tensor)->shape, (std::vector<std::int64_t>{30, 40}));
  EXPECT_EQ((*tensor)->bytes.size(), 2400u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*tensor)->bytes.data()) % 64, 0u);
  EXPECT_EQ(checkpoint->total_bytes(), 2400);
}

TEST(DummyCheckpointTest, TakesTheFirstDTypeWhereItsOwnIsNotAllowed) {
  const auto checkpoint = Checkpoint::Dummy(1, DType::kBF16);
  const auto tensor = checkpoint->Get({.name = "w", .shape = {3}, .dtypes = {DType::kF32}});
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ((*tensor)->dtype, DType::kF32);
}

TEST(DummyCheckpointTest, MakesOptionalTensorsToo) {
  const auto checkpoint = Checkpoint::Dummy(1, DType::kF32);
  const auto tensor =
      checkpoint->Get({.name = "b", .shape = {3}, .dtypes = kFloats, .optional = true});
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_NE(*tensor, nullptr);
}

TEST(DummyCheckpointTest, WeightsAreAFunctionOfSeedAndName) {
  const TensorSpec spec{.name = "w", .shape = {7, 300}, .dtypes = kFloats};
  const TensorSpec other{.name = "v", .shape = {7, 300}, .dtypes = kFloats};
  const auto first = Checkpoint::Dummy(1, DType::kF32);
  const auto second = Checkpoint::Dummy(1, DType::kF32);
  const auto third = Checkpoint::Dummy(2, DType::kF32);
  (void)second->Get(other);  // the order of asking must not matter
  EXPECT_EQ(BytesOf(first.get(), spec), BytesOf(second.get(), spec));
  EXPECT_NE(BytesOf(first.get(), spec), BytesOf(third.get(), spec));
  EXPECT_NE(BytesOf(first.get(), spec), BytesOf(first.get(), other));
}

TEST(DummyCheckpointTest, AskingAgainGivesTheSameTensor) {
  const auto checkpoint = Checkpoint::Dummy(1, DType::kF32);
  const TensorSpec spec{.name = "w", .shape = {4}, .dtypes = kFloats};
  EXPECT_EQ(*checkpoint->Get(spec), *checkpoint->Get(spec));
  EXPECT_EQ(checkpoint->total_bytes(), 16);
  EXPECT_THAT(Message(checkpoint->Get({.name = "w", .shape = {5}, .dtypes = kFloats}).status()),
              HasSubstr("tensor 'w' has shape [4], expected [5]"));
}

TEST(DummyCheckpointTest, DeviationZeroIsAllOnes) {
  const auto checkpoint = Checkpoint::Dummy(1, DType::kF32);
  const auto bytes =
      BytesOf(checkpoint.get(), {.name = "norm", .shape = {9}, .dtypes = kFloats, .dummy_std = 0});
  std::vector<float> values(9);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  EXPECT_THAT(values, Each(1.0f));
}

TEST(DummyCheckpointTest, EmptyTensorsAndScalarsAreMade) {
  const auto checkpoint = Checkpoint::Dummy(1, DType::kF32);
  EXPECT_EQ(BytesOf(checkpoint.get(), {.name = "e", .shape = {0, 5}, .dtypes = kFloats}).size(),
            0u);
  EXPECT_EQ(BytesOf(checkpoint.get(), {.name = "s", .shape = {}, .dtypes = kFloats}).size(), 4u);
}

TEST(DummyCheckpointTest, SaysWhatItCannotMake) {
  const auto checkpoint = Checkpoint::Dummy(1, DType::kF32);
  EXPECT_THAT(
      Message(checkpoint->Get({.name = "q", .shape = {4}, .dtypes = {DType::kF8E4M3}}).status()),
      HasSubstr("tensor 'q' is f8_e4m3; only f32, bf16 and f16"));
}

TEST(DummyCheckpointTest, NothingIsEverLeft) {
  EXPECT_TRUE(Checkpoint::Dummy(1, DType::kF32)
                  ->CheckNothingLeft([](std::string_view) { return false; })
                  .ok());
}

}  // namespace
}  // namespace engram
