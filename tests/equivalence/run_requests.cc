// SPDX-License-Identifier: Apache-2.0
#include "tests/equivalence/run_requests.h"

#include <bit>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/strings.h"

namespace engram::testing_support {
namespace {

void AppendBits(const TokenLogprob& logprob, std::vector<std::uint32_t>* out) {
  out->push_back(static_cast<std::uint32_t>(logprob.token));
  out->push_back(std::bit_cast<std::uint32_t>(logprob.logprob));
  out->push_back(static_cast<std::uint32_t>(logprob.rank));
}

void AppendBits(const std::vector<TokenResult>& results, std::vector<std::uint32_t>* out) {
  out->push_back(static_cast<std::uint32_t>(results.size()));
  for (const TokenResult& result : results) {
    out->push_back(static_cast<std::uint32_t>(result.token));
    out->push_back(result.logprob.has_value());
    if (result.logprob) AppendBits(*result.logprob, out);
    out->push_back(static_cast<std::uint32_t>(result.top_logprobs.size()));
    for (const TokenLogprob& top : result.top_logprobs) AppendBits(top, out);
    out->push_back(static_cast<std::uint32_t>(result.gates.size()));
    for (const float gate : result.gates) out->push_back(std::bit_cast<std::uint32_t>(gate));
  }
}

void Take(const TokenEvent& event, Answer* answer) {
  if (event.prompt != nullptr) answer->prompt = event.prompt->tokens;
  if (event.token) answer->tokens.push_back(*event.token);
  if (event.finish) answer->finish = event.finish;
}

}  // namespace

std::vector<std::uint32_t> Bits(const Answer& answer) {
  std::vector<std::uint32_t> out;
  AppendBits(answer.prompt, &out);
  AppendBits(answer.tokens, &out);
  out.push_back(answer.finish ? static_cast<std::uint32_t>(*answer.finish) : ~0u);
  return out;
}

RequestRunner::RequestRunner(const SchedulerOptions& options, const RequestLimits& limits,
                             StepExecutor* executor)
    : limits_(limits), executor_(executor), scheduler_(options) {}

std::vector<Answer> RequestRunner::Run(const std::vector<RequestParams>& requests) {
  std::vector<Answer> answers;
  std::map<RequestKey, std::size_t> first_answer;
  for (const RequestParams& params : requests) {
    absl::StatusOr<Request> request = Request::Create(params, limits_);
    CHECK_MSG(request.ok(), Message(request.status()));
    const RequestKey key(next_key_++);
    first_answer[key] = answers.size();
    answers.resize(answers.size() + request->n());
    scheduler_.Add(key, *std::move(request), TimePoint{});
  }
  while (scheduler_.HasWork()) {
    std::vector<SchedulerEvent> events;
    const std::optional<StepPlan> plan = scheduler_.Plan(TimePoint{}, &events);
    if (plan) scheduler_.Commit(*plan, executor_->Execute(*plan), &events);
    for (const SchedulerEvent& event : events) {
      Take(event.event, &answers[first_answer.at(event.request) + event.event.choice]);
    }
  }
  scheduler_.CheckIntegrity();
  CHECK_EQ(scheduler_.stats().blocks_used, 0);
  return answers;
}

std::vector<Answer> RequestRunner::RunOneByOne(const std::vector<RequestParams>& requests) {
  std::vector<Answer> all;
  for (const RequestParams& request : requests) {
    for (Answer& answer : Run({request})) all.push_back(std::move(answer));
  }
  return all;
}

}  // namespace engram::testing_support
