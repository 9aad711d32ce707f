// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/model/sequence_driver.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/check.h"

namespace engram::testing_support {
namespace {

constexpr int kTop = 5;

// `tensor` is host memory: the CPU backends'.
void AppendRows(const Tensor& tensor, std::vector<float>* out) {
  for (std::int64_t row = 0; row < tensor.rows; ++row) {
    const float* values = tensor.Rows(row, 1).as<float>();
    out->insert(out->end(), values, values + tensor.cols);
  }
}

template <typename T>
void MoveAppend(std::vector<T>* out, std::vector<T>* from) {
  std::move(from->begin(), from->end(), std::back_inserter(*out));
}

}  // namespace

SequenceDriver::SequenceDriver(const SchedulerOptions& options, Executor* executor,
                               bool engram_enabled)
    : options_(options), executor_(executor), engram_enabled_(engram_enabled) {
  greedy_.temperature = 0;
  greedy_.logprobs = kTop;
  executor_->SetTraceForTest([this](std::string_view what, int layer, const Tensor& tensor) {
    AppendRows(tensor, &recording_[std::string(what) + "." + std::to_string(layer)]);
  });
}

SequenceDriver::~SequenceDriver() { executor_->SetTraceForTest(nullptr); }

StepPlan SequenceDriver::MakePlan(const std::vector<std::int32_t>& tokens) const {
  const int start = static_cast<int>(history_.size());
  const int rows = static_cast<int>(tokens.size());
  StepPlan plan;
  plan.token_ids = tokens;
  SequenceSlice& slice = plan.slices.emplace_back();
  slice.row_count = rows;
  slice.start_position = start;
  slice.block_count = (start + rows + options_.block_size - 1) / options_.block_size;
  slice.state_slot = StateSlot(options_.max_num_seqs - 1);
  slice.state_source = start == 0 ? StateSource::kZero : StateSource::kSlot;
  slice.engram_enabled = engram_enabled_;
  slice.wants_gates = true;
  slice.lookback_count = std::min(start, options_.ngram_order_max - 1);
  std::copy(history_.end() - slice.lookback_count, history_.end(), slice.lookback.begin());
  // Downwards, so that a block that is taken for its neighbour shows.
  for (int i = 0; i < slice.block_count; ++i) {
    plan.block_ids.push_back(BlockId(options_.block_count - 1 - i));
  }
  for (int row = 0; row + 1 < rows; ++row) {
    PromptLogprobRow& prompt = plan.prompt_logprobs.emplace_back();
    prompt.row = row;
    prompt.next_token = tokens[row + 1];
    prompt.top = kTop;
  }
  SampleRow& sample = plan.samples.emplace_back();
  sample.row = rows - 1;
  sample.params = &greedy_;
  sample.position = start + rows;
  return plan;
}

StepOutput SequenceDriver::Run(const std::vector<std::int32_t>& tokens) {
  CHECK(!tokens.empty());
  const StepPlan plan = MakePlan(tokens);
  history_.insert(history_.end(), tokens.begin(), tokens.end());
  return executor_->Execute(plan);
}

StepOutput SequenceDriver::RunInChunks(const std::vector<std::int32_t>& tokens, int chunk) {
  StepOutput all;
  for (std::size_t first = 0; first < tokens.size(); first += chunk) {
    const std::size_t end = std::min(tokens.size(), first + chunk);
    StepOutput step = Run({tokens.begin() + first, tokens.begin() + end});
    MoveAppend(&all.sampled, &step.sampled);
    MoveAppend(&all.prompt_logprobs, &step.prompt_logprobs);
    MoveAppend(&all.gates, &step.gates);
  }
  return all;
}

}  // namespace engram::testing_support
