// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/step_batch.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/check.h"

namespace engram {
namespace {

constexpr int kRowLists = 5;  // what Upload puts into rows_memory_

std::span<const BlockId> BlocksOf(const StepPlan& plan, const SequenceSlice& slice) {
  CHECK(slice.first_block >= 0 && slice.block_count >= 0);
  CHECK_LE(static_cast<std::size_t>(slice.first_block + slice.block_count), plan.block_ids.size());
  return std::span(plan.block_ids).subspan(slice.first_block, slice.block_count);
}

}  // namespace

StepBatch::StepBatch(const StepBatchLimits& limits, const ModelCacheShape& cache, Backend* backend)
    : limits_(limits),
      cache_(cache),
      entries_(cache.state_slots, cache.block_count),
      blocks_per_sequence_max_((cache.positions_max + cache.block_size - 1) / cache.block_size),
      backend_(backend) {
  CHECK(limits.rows_max > 0 && limits.slices_max > 0 && cache.positions_max > 0);
  const std::size_t rows = limits.rows_max;
  const std::size_t tables = static_cast<std::size_t>(limits.slices_max) * blocks_per_sequence_max_;
  rows_memory_ = backend->Allocate(kRowLists * rows * sizeof(std::int32_t));
  tables_memory_ = backend->Allocate(tables * sizeof(std::int32_t));
  for (auto* list : {&positions_, &cache_slots_, &sequence_, &engram_enabled_}) list->reserve(rows);
  block_tables_.reserve(tables);
  batch_.block_size = cache.block_size;
  for (auto* list : {&batch_.slice_first_row, &batch_.slice_row_count, &batch_.slice_source}) {
    list->reserve(limits.slices_max);
  }
  // A slice writes its slot, and one snapshot per block that it completes.
  for (auto* list : {&batch_.write_slice, &batch_.write_after_row, &batch_.write_entry}) {
    list->reserve(limits.slices_max + rows);
  }
}

const ModelBatch& StepBatch::Build(const StepPlan& plan) {
  CHECK(!plan.slices.empty());
  CHECK_LE(plan.slices.size(), static_cast<std::size_t>(limits_.slices_max));
  CHECK_LE(plan.token_ids.size(), static_cast<std::size_t>(limits_.rows_max));
  for (auto* list : {&positions_, &cache_slots_, &sequence_, &engram_enabled_,
                     &batch_.slice_first_row, &batch_.slice_row_count, &batch_.slice_source,
                     &batch_.write_slice, &batch_.write_after_row, &batch_.write_entry}) {
    list->clear();
  }
  for (std::size_t s = 0; s < plan.slices.size(); ++s) {
    AddSlice(plan, static_cast<int>(s));
    AddRollingState(plan, static_cast<int>(s));
  }
  CHECK_EQ(positions_.size(), plan.token_ids.size());
  Upload(plan);
  return batch_;
}

void StepBatch::AddSlice(const StepPlan& plan, int index) {
  const SequenceSlice& slice = plan.slices[index];
  const std::span<const BlockId> blocks = BlocksOf(plan, slice);
  const int end_position = slice.start_position + slice.row_count;
  CHECK_EQ(static_cast<std::size_t>(slice.first_row), positions_.size());
  CHECK(slice.row_count > 0 && slice.start_position >= 0);
  CHECK_LE(end_position, cache_.positions_max);
  CHECK_LE(end_position, slice.block_count * cache_.block_size);
  for (int position = slice.start_position; position < end_position; ++position) {
    const std::int32_t block = blocks[position / cache_.block_size].value();
    CHECK(block >= 0 && block < cache_.block_count);
    positions_.push_back(position);
    cache_slots_.push_back(block * cache_.block_size + position % cache_.block_size);
    sequence_.push_back(index);
    engram_enabled_.push_back(slice.engram_enabled ? 1 : 0);
  }
}

void StepBatch::AddRollingState(const StepPlan& plan, int index) {
  const SequenceSlice& slice = plan.slices[index];
  const std::span<const BlockId> blocks = BlocksOf(plan, slice);
  std::int32_t source = entries_.zeros();
  switch (slice.state_source) {
    case StateSource::kZero:
      CHECK_EQ(slice.start_position, 0);
      break;
    case StateSource::kSlot:
      source = entries_.Slot(slice.state_slot);
      break;
    case StateSource::kBlock:
      CHECK(slice.start_position > 0 && slice.start_position % cache_.block_size == 0);
      source = entries_.Block(blocks[slice.start_position / cache_.block_size - 1]);
      break;
  }
  batch_.slice_first_row.push_back(slice.first_row);
  batch_.slice_row_count.push_back(slice.row_count);
  batch_.slice_source.push_back(source);
  if (!limits_.has_rolling_state) return;

  const auto write = [&](int row, std::int32_t entry) {
    batch_.write_slice.push_back(index);
    batch_.write_after_row.push_back(row);
    batch_.write_entry.push_back(entry);
  };
  for (int i = 0; i < slice.row_count; ++i) {
    const int end = slice.start_position + i + 1;
    if (end % cache_.block_size != 0) continue;
    write(slice.first_row + i, entries_.Block(blocks[end / cache_.block_size - 1]));
  }
  write(slice.first_row + slice.row_count - 1, entries_.Slot(slice.state_slot));
}

void StepBatch::Upload(const StepPlan& plan) {
  const Context context;
  const std::int64_t rows = static_cast<std::int64_t>(plan.token_ids.size());
  std::size_t list = 0;
  const auto upload = [&](const std::vector<std::int32_t>& values) {
    const std::size_t offset = list++ * limits_.rows_max * sizeof(std::int32_t);
    const Tensor tensor = rows_memory_.View(offset, DType::kI32, 1, rows);
    backend_->CopyToDevice(context, tensor, values.data());
    return tensor;
  };
  batch_.token_ids = upload(plan.token_ids);
  batch_.positions = upload(positions_);
  batch_.cache_slots = upload(cache_slots_);
  batch_.sequence = upload(sequence_);
  batch_.engram_enabled = upload(engram_enabled_);

  int columns = 0;
  for (const SequenceSlice& slice : plan.slices) columns = std::max(columns, slice.block_count);
  CHECK_LE(columns, blocks_per_sequence_max_);
  // Shorter tables end in zeros, which nobody reads: a row looks at its own positions only.
  block_tables_.assign(plan.slices.size() * columns, 0);
  for (std::size_t s = 0; s < plan.slices.size(); ++s) {
    std::ranges::transform(BlocksOf(plan, plan.slices[s]), block_tables_.begin() + s * columns,
                           [](BlockId block) { return block.value(); });
  }
  batch_.block_tables =
      tables_memory_.View(0, DType::kI32, static_cast<std::int64_t>(plan.slices.size()), columns);
  backend_->CopyToDevice(context, batch_.block_tables, block_tables_.data());
}

}  // namespace engram
