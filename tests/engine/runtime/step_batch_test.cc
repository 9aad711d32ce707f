// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/step_batch.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/backend_factory.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ModelCacheShape kCache = {
    .block_count = 20, .block_size = 4, .state_slots = 3, .positions_max = 32};

class StepBatchTest : public ::testing::Test {
 protected:
  const ModelBatch& Build(const StepPlan& plan) { return batch_.Build(plan); }

  std::vector<std::int32_t> Values(const Tensor& tensor) {
    std::vector<std::int32_t> out(tensor.rows * tensor.cols);
    backend_->CopyToHost(Context{}, out.data(), tensor);
    return out;
  }

  std::unique_ptr<Backend> backend_ = MakeBackend("ref", {});
  StepBatch batch_{
      {.rows_max = 16, .slices_max = 3, .has_rolling_state = true}, kCache, backend_.get()};
};

SequenceSlice Slice(int first_row, int row_count, int start_position) {
  SequenceSlice slice;
  slice.first_row = first_row;
  slice.row_count = row_count;
  slice.start_position = start_position;
  slice.block_count = (start_position + row_count + kCache.block_size - 1) / kCache.block_size;
  return slice;
}

// A new prompt of 6 tokens in blocks 9 and 2, and a decode row at position 8 in blocks 5, 0 and 7.
StepPlan TwoSlices() {
  StepPlan plan;
  plan.token_ids = {11, 12, 13, 14, 15, 16, 99};
  plan.slices = {Slice(0, 6, 0), Slice(6, 1, 8)};
  plan.block_ids = {BlockId(9), BlockId(2), BlockId(5), BlockId(0), BlockId(7)};
  plan.slices[0].state_slot = StateSlot(2);
  plan.slices[1].first_block = 2;
  plan.slices[1].state_slot = StateSlot(0);
  plan.slices[1].state_source = StateSource::kSlot;
  plan.slices[1].engram_enabled = false;
  return plan;
}

TEST_F(StepBatchTest, RowsKnowTheirPositionSlotAndSequence) {
  const ModelBatch& batch = Build(TwoSlices());
  EXPECT_EQ(batch.rows(), 7);
  EXPECT_THAT(Values(batch.token_ids), ElementsAre(11, 12, 13, 14, 15, 16, 99));
  EXPECT_THAT(Values(batch.positions), ElementsAre(0, 1, 2, 3, 4, 5, 8));
  EXPECT_THAT(Values(batch.cache_slots), ElementsAre(36, 37, 38, 39, 8, 9, 28));
  EXPECT_THAT(Values(batch.sequence), ElementsAre(0, 0, 0, 0, 0, 0, 1));
  EXPECT_THAT(Values(batch.engram_enabled), ElementsAre(1, 1, 1, 1, 1, 1, 0));
}

TEST_F(StepBatchTest, BlockTablesAreAsWideAsTheLongest) {
  const ModelBatch& batch = Build(TwoSlices());
  EXPECT_EQ(batch.block_tables.rows, 2);
  EXPECT_EQ(batch.block_tables.cols, 3);
  EXPECT_THAT(Values(batch.block_tables), ElementsAre(9, 2, 0, 5, 0, 7));
}

TEST_F(StepBatchTest, StateIsWrittenAfterEveryFullBlockAndAfterTheSlice) {
  const ModelBatch& batch = Build(TwoSlices());
  EXPECT_THAT(batch.slice_first_row, ElementsAre(0, 6));
  EXPECT_THAT(batch.slice_row_count, ElementsAre(6, 1));
  // Entries: 0 zeros, 1 … 3 slots, 4 + b the snapshot of block b.
  EXPECT_THAT(batch.slice_source, ElementsAre(0, 1 + 0));
  EXPECT_THAT(batch.write_slice, ElementsAre(0, 0, 1));
  EXPECT_THAT(batch.write_after_row, ElementsAre(3, 5, 6));
  EXPECT_THAT(batch.write_entry, ElementsAre(4 + 9, 1 + 2, 1 + 0));
}

TEST_F(StepBatchTest, DecodeThatFillsItsBlockWritesBothEntries) {
  StepPlan plan;
  plan.token_ids = {5};
  plan.slices = {Slice(0, 1, 7)};
  plan.slices[0].state_slot = StateSlot(1);
  plan.slices[0].state_source = StateSource::kSlot;
  plan.block_ids = {BlockId(3), BlockId(6)};
  const ModelBatch& batch = Build(plan);
  EXPECT_THAT(batch.write_after_row, ElementsAre(0, 0));
  EXPECT_THAT(batch.write_entry, ElementsAre(4 + 6, 1 + 1));
}

TEST_F(StepBatchTest, PrefixHitStartsFromTheSnapshotOfTheBlockBefore) {
  StepPlan plan;
  plan.token_ids = {5, 6, 7};
  plan.slices = {Slice(0, 3, 8)};
  plan.slices[0].state_source = StateSource::kBlock;
  plan.block_ids = {BlockId(3), BlockId(6), BlockId(1)};
  const ModelBatch& batch = Build(plan);
  EXPECT_THAT(batch.slice_source, ElementsAre(4 + 6));
}

TEST_F(StepBatchTest, NothingOfTheStepBeforeIsLeft) {
  Build(TwoSlices());
  StepPlan plan;
  plan.token_ids = {1, 2};
  plan.slices = {Slice(0, 2, 0)};
  plan.block_ids = {BlockId(4)};
  const ModelBatch& batch = Build(plan);
  EXPECT_EQ(batch.rows(), 2);
  EXPECT_THAT(Values(batch.cache_slots), ElementsAre(16, 17));
  EXPECT_THAT(Values(batch.block_tables), ElementsAre(4));
  EXPECT_THAT(batch.write_entry, ElementsAre(1));
}

TEST_F(StepBatchTest, ModelWithoutRollingStateWritesNone) {
  StepBatch batch({.rows_max = 16, .slices_max = 3, .has_rolling_state = false}, kCache,
                  backend_.get());
  EXPECT_THAT(batch.Build(TwoSlices()).write_entry, IsEmpty());
}

using StepBatchDeathTest = StepBatchTest;

TEST_F(StepBatchDeathTest, ResumingInsideABlockHasNoSnapshot) {
  StepPlan plan = TwoSlices();
  plan.slices[1].start_position = 9;
  plan.slices[1].state_source = StateSource::kBlock;
  EXPECT_DEATH(Build(plan), "block_size");
}

TEST_F(StepBatchDeathTest, RowsThatNoSliceOwns) {
  StepPlan plan = TwoSlices();
  plan.token_ids.push_back(1);
  EXPECT_DEATH(Build(plan), "token_ids");
}

TEST_F(StepBatchDeathTest, BlockOutsideTheCache) {
  StepPlan plan = TwoSlices();
  plan.block_ids[0] = BlockId(20);
  EXPECT_DEATH(Build(plan), "block_count");
}

TEST_F(StepBatchDeathTest, PositionsBeyondTheSlicesBlocks) {
  StepPlan plan = TwoSlices();
  plan.slices[0].block_count = 1;
  EXPECT_DEATH(Build(plan), "end_position");
}

}  // namespace
}  // namespace engram
