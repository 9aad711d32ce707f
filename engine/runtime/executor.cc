// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/executor.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "base/check.h"
#include "engine/engram/step_row_failure.h"

namespace engram {
namespace {

// The slices that have a failed row, each with the message of its first.
std::vector<SliceFailure> FailedSlices(const StepPlan& plan, std::vector<StepRowFailure> failed) {
  std::vector<SliceFailure> slices;
  if (failed.empty()) return slices;
  std::ranges::stable_sort(failed, {}, &StepRowFailure::step_row);
  auto row = failed.begin();
  for (std::size_t i = 0; i < plan.slices.size(); ++i) {
    const int end = plan.slices[i].first_row + plan.slices[i].row_count;
    if (row == failed.end() || row->step_row >= end) continue;
    slices.push_back({.slice = static_cast<int>(i), .message = std::move(row->message)});
    while (row != failed.end() && row->step_row < end) ++row;
  }
  CHECK(row == failed.end());
  return slices;
}

}  // namespace

Executor::Executor(const StepBatchLimits& limits, const ModelCacheShape& cache, Model* model,
                   EngramPrefetcher* prefetcher, EngramMetrics* engram_metrics, Backend* backend)
    : model_(model),
      prefetcher_(prefetcher),
      engram_metrics_(engram_metrics),
      backend_(backend),
      engram_rows_([prefetcher](int layer) { return prefetcher->Rows(layer); }),
      batch_(limits, cache, backend),
      sampler_(model->config().vocab_size) {
  const ModelConfig& config = model->config();
  CHECK_EQ(config.has_engram(), prefetcher != nullptr);
  const std::size_t vocab = config.vocab_size;
  const std::size_t hidden = config.hidden_size;
  index_memory_ = backend->Allocate(kLogitRowsMax * sizeof(std::int32_t));
  gathered_memory_ = backend->Allocate(kLogitRowsMax * hidden * sizeof(float));
  logits_memory_ = backend->Allocate(kLogitRowsMax * vocab * sizeof(float));
  logits_.resize(kLogitRowsMax * vocab);
  logit_rows_.reserve(limits.rows_max);
}

std::int64_t Executor::LogitsBytes(const ModelConfig& config) {
  const std::int64_t row = std::int64_t{2} * config.vocab_size + config.hidden_size;
  return kLogitRowsMax * row * static_cast<std::int64_t>(sizeof(float));
}

StepOutput Executor::Execute(const StepPlan& plan) {
  if (prefetcher_ != nullptr) prefetcher_->Start(plan);
  const ModelBatch& batch = batch_.Build(plan);
  const Model::Trace* trace = trace_ ? &trace_ : nullptr;
  const Tensor hidden = model_->Forward(batch, engram_rows_, trace);
  if (trace != nullptr) trace_("final_norm", 0, hidden);
  StepOutput output;
  RunLogits(plan, hidden, &output);
  if (prefetcher_ != nullptr) prefetcher_->Sampled(plan, output.sampled);
  output.gates = CopyGates(plan);
  if (prefetcher_ != nullptr) output.failures = FailedSlices(plan, prefetcher_->TakeFailures());
  if (engram_metrics_ != nullptr) engram_metrics_->Update();
  return output;
}

std::string Executor::TakeLogNote() {
  return engram_metrics_ == nullptr ? "" : engram_metrics_->TakeLogNote();
}

void Executor::RunLogits(const StepPlan& plan, const Tensor& hidden, StepOutput* output) {
  // Both lists ascend. A row may be in both.
  logit_rows_.clear();
  for (const SampleRow& sample : plan.samples) logit_rows_.push_back(sample.row);
  for (const PromptLogprobRow& prompt : plan.prompt_logprobs) logit_rows_.push_back(prompt.row);
  std::ranges::sort(logit_rows_);
  logit_rows_.erase(std::unique(logit_rows_.begin(), logit_rows_.end()), logit_rows_.end());

  const std::size_t vocab = model_->config().vocab_size;
  auto sample = plan.samples.begin();
  auto prompt = plan.prompt_logprobs.begin();
  for (std::size_t first = 0; first < logit_rows_.size(); first += kLogitRowsMax) {
    const std::size_t count = std::min<std::size_t>(kLogitRowsMax, logit_rows_.size() - first);
    ComputeLogits(hidden, first, count);
    for (std::size_t i = 0; i < count; ++i) {
      const int row = logit_rows_[first + i];
      const std::span<const float> logits = std::span(logits_).subspan(i * vocab, vocab);
      for (; sample != plan.samples.end() && sample->row == row; ++sample) {
        output->sampled.push_back(sampler_.Sample(*sample, logits));
        if (next_token_) output->sampled.back().token = next_token_(*sample);
      }
      for (; prompt != plan.prompt_logprobs.end() && prompt->row == row; ++prompt) {
        TokenResult& result = output->prompt_logprobs.emplace_back();
        result.token = prompt->next_token;
        FillLogprobs(logits, prompt->next_token, prompt->top, &result);
      }
    }
  }
  // Fails if a list did not ascend.
  CHECK_EQ(output->sampled.size(), plan.samples.size());
  CHECK_EQ(output->prompt_logprobs.size(), plan.prompt_logprobs.size());
}

// Logits of logit_rows_[first, first + count) into logits_.
void Executor::ComputeLogits(const Tensor& hidden, std::int64_t first, std::int64_t count) {
  const Context context;
  const ModelConfig& config = model_->config();
  const Tensor index = index_memory_.View(0, DType::kI32, 1, count);
  const Tensor gathered = gathered_memory_.View(0, DType::kF32, count, config.hidden_size);
  const Tensor logits = logits_memory_.View(0, DType::kF32, count, config.vocab_size);
  backend_->CopyToDevice(context, index, logit_rows_.data() + first);
  backend_->GatherRows(context, {.out = gathered, .x = hidden, .index = index});
  model_->Logits(logits, gathered);
  if (trace_) trace_("logits", 0, logits);
  backend_->CopyToHost(context, logits_.data(), logits);
  backend_->Synchronize(context);
}

std::vector<std::vector<float>> Executor::CopyGates(const StepPlan& plan) {
  std::vector<std::vector<float>> gates;
  const ModelConfig& config = model_->config();
  const std::size_t layers = config.engram.layer_ids.size();
  const std::size_t streams = config.hc_mult;
  for (const SequenceSlice& slice : plan.slices) {
    if (!slice.wants_gates) continue;
    const std::size_t rows = slice.row_count;
    std::vector<float>& out = gates.emplace_back(rows * layers * streams);
    std::vector<float> layer_gates(rows * streams);
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const Tensor device = model_->Gates(static_cast<int>(layer));
      backend_->CopyToHost(Context{}, layer_gates.data(),
                           device.Rows(slice.first_row, slice.row_count));
      backend_->Synchronize(Context{});
      for (std::size_t row = 0; row < rows; ++row) {
        std::copy_n(layer_gates.begin() + row * streams, streams,
                    out.begin() + (row * layers + layer) * streams);
      }
    }
  }
  return gates;
}

}  // namespace engram
