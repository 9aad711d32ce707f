// SPDX-License-Identifier: Apache-2.0
// What came of a step: progress, prompt results, forks, sampled tokens and ends. Events are in the
// order of the plan's slices.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/check.h"
#include "engine/scheduler/scheduler_impl.h"

namespace engram {
namespace {

// How far a step's outputs have been read: they follow the plan's slices.
struct OutputPlace {
  std::size_t sample = 0;
  std::size_t logprob = 0;
  std::size_t gates = 0;
};

// Passes over what the step gave for a slice that failed.
void SkipSlice(const StepPlan& plan, int slice, OutputPlace* at) {
  const auto belongs = [slice](const auto& list, std::size_t i) {
    return i < list.size() && list[i].slice == slice;
  };
  while (belongs(plan.samples, at->sample)) ++at->sample;
  while (belongs(plan.prompt_logprobs, at->logprob)) ++at->logprob;
  if (plan.slices[slice].wants_gates) ++at->gates;
}

}  // namespace

void Scheduler::Impl::Commit(const StepPlan& plan, StepOutput output, SchedulerEvents* events) {
  CHECK(plan_open);
  CHECK_EQ(plan.step, step);
  CHECK_EQ(plan.slices.size(), planned.size());
  CHECK_EQ(plan.samples.size(), output.sampled.size());
  CHECK_EQ(plan.prompt_logprobs.size(), output.prompt_logprobs.size());
  plan_open = false;

  OutputPlace at;
  auto& [sample, logprob, gates] = at;
  auto failure = output.failures.begin();
  std::map<RequestKey, std::string> failed;  // by request, the first message
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const SequenceSlice& slice = plan.slices[i];
    Sequence* sequence = planned[i];
    RequestState* request = sequence->request;
    CHECK_EQ(sequence->id, slice.sequence);
    CHECK_EQ(sequence->computed_tokens, slice.start_position);
    sequence->step_rows = 0;
    if (failure != output.failures.end() && failure->slice == static_cast<int>(i)) {
      failed.emplace(request->key, std::move(failure->message));
      SkipSlice(plan, static_cast<int>(i), &at);
      ++failure;
      continue;
    }
    sequence->computed_tokens += slice.row_count;
    sequence->slot_is_current = true;
    cache.Register(sequence);

    for (; logprob < plan.prompt_logprobs.size() &&
           plan.prompt_logprobs[logprob].slice == static_cast<int>(i);
         ++logprob) {
      const int row = plan.prompt_logprobs[logprob].row - slice.first_row;
      TokenResult& token = request->prompt_result.tokens[slice.start_position + row + 1];
      token.logprob = output.prompt_logprobs[logprob].logprob;
      token.top_logprobs = std::move(output.prompt_logprobs[logprob].top_logprobs);
    }
    if (slice.wants_gates) {
      CHECK_LT(gates, output.gates.size());
      TakeGates(sequence, slice, output.gates[gates++], events);
    }
    sequence->answered_rows = std::max(sequence->answered_rows, sequence->computed_tokens);

    const bool samples =
        sample < plan.samples.size() && plan.samples[sample].slice == static_cast<int>(i);
    if (request->shared_prompt_result == nullptr &&
        sequence->computed_tokens >= sequence->prompt_length()) {
      CompletePrompt(request, events);  // may end the request, but then it has nothing to sample
    }
    if (samples) TakeSample(sequence, std::move(output.sampled[sample++]), events);
  }
  CHECK_EQ(gates, output.gates.size());
  CHECK(failure == output.failures.end());
  planned.clear();
  for (const auto& [key, error] : failed) {
    EndRequest(requests.at(key).get(), FinishReason::kFailed, events, error);
  }
}

// Gives each row of the slice that owes its gates to its token: one of the prompt, or the one that
// was sampled last and waits for them.
void Scheduler::Impl::TakeGates(Sequence* sequence, const SequenceSlice& slice,
                                const std::vector<float>& gates, SchedulerEvents* events) {
  CHECK_EQ(gates.size() % slice.row_count, 0u);
  const std::ptrdiff_t width = static_cast<std::ptrdiff_t>(gates.size()) / slice.row_count;
  for (int row = 0; row < slice.row_count; ++row) {
    const int position = slice.start_position + row;
    if (!sequence->OwesRow(position)) continue;
    const auto begin = gates.begin() + row * width;
    if (position < sequence->prompt_length()) {
      sequence->request->prompt_result.tokens[position].gates.assign(begin, begin + width);
      continue;
    }
    CHECK_EQ(position, sequence->length() - 1);
    CHECK(sequence->held_token.has_value());
    TokenEvent event;
    event.token = std::exchange(sequence->held_token, std::nullopt);
    event.token->gates.assign(begin, begin + width);
    Emit(sequence, std::move(event), events);
  }
}

// The prompt is computed: its result can be shared, and the other choices begin where it is.
void Scheduler::Impl::CompletePrompt(RequestState* request, SchedulerEvents* events) {
  request->shared_prompt_result =
      std::make_shared<const PromptResult>(std::move(request->prompt_result));
  if (request->output_max == 0) {
    EndRequest(request, FinishReason::kLength, events);
    return;
  }
  for (Sequence& sequence : request->choices) {
    if (sequence.choice == 0) continue;
    CHECK(sequence.state == SequenceState::kUnforked);
    cache.Fork(request->choices[0], &sequence);
    Enqueue(&sequence);
  }
}

void Scheduler::Impl::TakeSample(Sequence* sequence, TokenResult result, SchedulerEvents* events) {
  RequestState* state = sequence->request;
  const Request& request = state->request;
  const std::int32_t token = result.token;
  sequence->output.push_back(token);

  TokenEvent event;
  if (std::ranges::binary_search(request.end_token_ids(), token)) {
    event.finish = FinishReason::kStop;
    if (!request.IsEos(token)) event.stop_token = token;
  } else if (static_cast<int>(sequence->output.size()) == state->output_max) {
    event.finish = FinishReason::kLength;
  }
  if (request.engram_gates() && !event.finish.has_value()) {
    CHECK(!sequence->held_token.has_value());
    sequence->held_token = std::move(result);
    return;
  }
  event.token = std::move(result);
  const bool finished = event.finish.has_value();
  Emit(sequence, std::move(event), events);
  if (!finished) return;
  Finish(sequence);
  if (state->unfinished_count == 0) Remove(state);
}

}  // namespace engram
