// SPDX-License-Identifier: Apache-2.0
// Picks a token from a row of logits: a pure function of the logits, the request's parameters, its
// tokens so far and (seed, position). The order of the steps is vLLM's:
//   1. tokens that are masked or not allowed are out; logit_bias is added,
//   2. penalties: repetition (l > 0 ? l / p : l · p; prompt and output), frequency (− p · count)
//   and
//      presence (− p), both over the output,
//   3. temperature 0: the largest logit, the lower id among equals. Else p ∝ exp(l / temperature),
//   4. min_p: out if p < min_p · largest p,
//   5. top_k: the k largest stay, exactly; the lower id among equals,
//   6. top_p: of what is left, largest first, those before which less than top_p has been passed,
//   7. the draw: PhiloxUniform(seed, position) against the running sum in order of ids.
// Log-probabilities are of the model: log-softmax of the row as given, before all of this.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/step_plan.h"

namespace engram {

// Not thread-safe: keeps its workspace from one call to the next, and nothing else.
class Sampler {
 public:
  explicit Sampler(int vocab_size);

  // The token after `row`, with log-probabilities if row.params asks for them. Should masks and
  // allowed tokens leave nothing, row.masked_tokens may be picked after all.
  // REQUIRES: logits [vocab_size]; at least one is finite and none is NaN.
  TokenResult Sample(const SampleRow& row, std::span<const float> logits);

 private:
  // Where KeepBest stops.
  enum class Measure { kCount, kWeight };

  std::span<const float> Adjust(const SampleRow& row, std::span<const float> logits);
  void Mask(const SamplingParams& params, std::span<const std::int32_t> masked,
            std::span<const float> logits);
  void Penalise(const SampleRow& row);
  std::int32_t PickRandom(const SampleRow& row, std::span<const float> logits, float best);
  void KeepBest(std::span<const float> logits, float best, float inverse_temperature,
                Measure measure, double limit);

  const int vocab_size_;
  // Workspace.
  std::vector<float> adjusted_;        // [vocab] logits
  std::vector<float> weights_;         // [vocab] shares of the draw, not normalised; 0 = out
  std::vector<std::int32_t> counts_;   // [vocab], all 0 between calls
  std::vector<double> bins_;           // see KeepBest
  std::vector<std::int32_t> on_edge_;  // tokens of one bin
};

// Fills in `result`'s log-probability of `token`, its rank (1 = most likely; the lower id first
// among equals), and the `top` best tokens. REQUIRES: as for Sample; 0 ≤ token < logits.size().
void FillLogprobs(std::span<const float> logits, std::int32_t token, int top, TokenResult* result);

}  // namespace engram
