// SPDX-License-Identifier: Apache-2.0
// What the steps after this one will probably compute: the rest of the running prompts, then the
// waiting sequences in the order in which they will be admitted, from where the prefix cache would
// let them begin today. Changes nothing; a plan with the list and one without are the same plan.
#include <algorithm>
#include <cstddef>
#include <span>

#include "engine/scheduler/scheduler_impl.h"

namespace engram {
namespace {

// Lists at most `tokens_max` tokens of the sequence from `position` on; returns how many.
int Append(const SchedulerOptions& options, const Sequence& sequence, int position, int tokens_max,
           StepPlan* plan) {
  if (!sequence.request->request.engram_enabled()) return 0;
  UpcomingTokens upcoming;
  upcoming.sequence = sequence.id;
  upcoming.start_position = position;
  upcoming.first_token = static_cast<int>(plan->upcoming_ids.size());
  upcoming.lookback_count = std::min(position, options.ngram_order_max - 1);
  upcoming.token_count = std::min(sequence.length() - position, tokens_max);
  if (upcoming.token_count <= 0) return 0;
  plan->upcoming_ids.resize(static_cast<std::size_t>(
      upcoming.first_token + upcoming.lookback_count + upcoming.token_count));
  sequence.CopyTokens(position - upcoming.lookback_count,
                      std::span(plan->upcoming_ids).subspan(upcoming.first_token));
  plan->upcoming.push_back(upcoming);
  return upcoming.token_count;
}

}  // namespace

void Scheduler::Impl::ListUpcoming(StepPlan* plan) {
  int left = options.upcoming_tokens_max;
  for (const Sequence* sequence : running) {
    if (left == 0) return;
    left -= Append(options, *sequence, sequence->computed_tokens + sequence->step_rows, left, plan);
  }
  for (Sequence* sequence : waiting.all()) {
    if (left == 0) return;
    const int cached = static_cast<int>(cache.Match(sequence).size()) * options.block_size;
    left -= Append(options, *sequence, cached, left, plan);
  }
}

}  // namespace engram
