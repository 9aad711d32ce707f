// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler/build_plan.h"

#include <algorithm>
#include <span>

#include "base/check.h"

namespace engram {
namespace {

void AppendTokensAndBlocks(const SchedulerOptions& options, const Sequence& sequence,
                           StepPlan* plan) {
  SequenceSlice slice;
  slice.sequence = sequence.id;
  slice.first_row = static_cast<int>(plan->token_ids.size());
  slice.row_count = sequence.step_rows;
  slice.start_position = sequence.computed_tokens;
  slice.first_block = static_cast<int>(plan->block_ids.size());
  const int end = slice.start_position + slice.row_count;
  slice.block_count = (end + options.block_size - 1) / options.block_size;
  slice.state_slot = *sequence.slot;
  slice.state_source = sequence.state_source();
  slice.engram_enabled = sequence.request->request.engram_enabled();
  slice.wants_gates = sequence.request->request.engram_gates() && sequence.OwesRow(end - 1);
  slice.lookback_count = std::min(slice.start_position, options.ngram_order_max - 1);
  sequence.CopyTokens(slice.start_position - slice.lookback_count,
                      std::span(slice.lookback).first(slice.lookback_count));

  CHECK_LE(slice.block_count, static_cast<int>(sequence.blocks.size()));
  plan->block_ids.insert(plan->block_ids.end(), sequence.blocks.begin(),
                         sequence.blocks.begin() + slice.block_count);
  plan->token_ids.resize(slice.first_row + slice.row_count);
  sequence.CopyTokens(slice.start_position, std::span(plan->token_ids).subspan(slice.first_row));
  plan->slices.push_back(slice);
}

// The rows of the last slice whose logits somebody waits for.
void AppendLogitRows(const Sequence& sequence, StepPlan* plan) {
  const SequenceSlice& slice = plan->slices.back();
  const int slice_index = static_cast<int>(plan->slices.size()) - 1;
  const Request& request = sequence.request->request;
  const int end = slice.start_position + slice.row_count;
  if (request.prompt_logprobs().has_value()) {
    const int rows_end = std::min(end, sequence.prompt_length() - 1);
    const int rows_begin = std::max(slice.start_position, sequence.answered_rows);
    for (int position = rows_begin; position < rows_end; ++position) {
      plan->prompt_logprobs.push_back({
          .slice = slice_index,
          .row = slice.first_row + position - slice.start_position,
          .next_token = sequence.token(position + 1),
          .top = *request.prompt_logprobs(),
      });
    }
  }
  if (end < sequence.length() || sequence.request->output_max == 0) return;
  const bool may_end = static_cast<int>(sequence.output.size()) >= request.min_tokens();
  plan->samples.push_back({
      .slice = slice_index,
      .row = slice.first_row + slice.row_count - 1,
      .params = &request.sampling(),
      .seed = sequence.seed,
      .position = sequence.length(),
      .prompt_tokens = request.prompt(),
      .output_tokens = sequence.output,
      .masked_tokens = may_end ? std::span<const std::int32_t>() : request.end_token_ids(),
  });
}

}  // namespace

StepPlan BuildPlan(const SchedulerOptions& options, std::uint64_t step,
                   const std::vector<Sequence*>& planned) {
  StepPlan plan;
  plan.step = step;
  plan.slices.reserve(planned.size());
  plan.samples.reserve(planned.size());
  for (const Sequence* sequence : planned) {
    AppendTokensAndBlocks(options, *sequence, &plan);
    AppendLogitRows(*sequence, &plan);
  }
  return plan;
}

}  // namespace engram
