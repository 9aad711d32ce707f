// SPDX-License-Identifier: Apache-2.0
// Runs one StepPlan on the model: starts the fetch of its Engram rows, uploads the batch, runs the
// layers, computes logits for the rows that need them and samples. Decides nothing and keeps
// nothing about requests; the scheduler does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engram/engram_metrics.h"
#include "engine/engram/engram_prefetcher.h"
#include "engine/model/model.h"
#include "engine/runtime/sampler.h"
#include "engine/runtime/step_batch.h"
#include "engine/step_plan.h"
#include "kernels/backend.h"

namespace engram {

// Rows whose logits are computed and copied to the host at once: enough to read the output matrix
// only once per decode step, few enough to keep [rows, vocab] small.
inline constexpr int kLogitRowsMax = 64;

class Executor final : public StepExecutor {
 public:
  // `prefetcher` is null for a model without Engram, `engram_metrics` if nobody reads them. All
  // must outlive the executor; the model's cache is allocated, with `cache`.
  Executor(const StepBatchLimits& limits, const ModelCacheShape& cache, Model* model,
           EngramPrefetcher* prefetcher, EngramMetrics* engram_metrics, Backend* backend);

  StepOutput Execute(const StepPlan& plan) override;
  std::string TakeLogNote() override;

  // From now on shows what Model::Forward traces, and ("final_norm", 0) [T, D] and ("logits", 0)
  // [R, vocab], the latter in chunks of rows, as they come.
  void SetTraceForTest(Model::Trace trace) { trace_ = std::move(trace); }

  // From now on the text goes as this says: its token is taken for the one that was sampled.
  using NextToken = std::function<std::int32_t(const SampleRow& row)>;
  void SetNextTokenForTest(NextToken next_token) { next_token_ = std::move(next_token); }

  // Buffers for logits, on the device and on the host.
  static std::int64_t LogitsBytes(const ModelConfig& config);

 private:
  void RunLogits(const StepPlan& plan, const Tensor& hidden, StepOutput* output);
  void ComputeLogits(const Tensor& hidden, std::int64_t first, std::int64_t count);
  std::vector<std::vector<float>> CopyGates(const StepPlan& plan);

  // Constant after construction.
  Model* const model_;
  EngramPrefetcher* const prefetcher_;
  EngramMetrics* const engram_metrics_;
  Backend* const backend_;
  const EngramRowSource engram_rows_;
  Model::Trace trace_;
  NextToken next_token_;

  StepBatch batch_;
  Sampler sampler_;
  Buffer index_memory_;
  Buffer gathered_memory_;
  Buffer logits_memory_;
  std::vector<float> logits_;             // [kLogitRowsMax, vocab], of the present chunk
  std::vector<std::int32_t> logit_rows_;  // rows of the step that need logits, ascending
};

}  // namespace engram
