// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_metrics.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace engram {
namespace {

// vLLM's bounds, so that its histograms and ours can be laid over each other.
std::vector<double> FirstTokenBounds() {
  return {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
          1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
}

std::vector<double> TokenIntervalBounds() {
  return {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
          0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
}

std::vector<double> RequestTimeBounds() {
  return {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
          30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
}

std::vector<double> IterationTokenBounds() {
  return {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
}

// 1, 2, 5, 10, 20, 50, … up to `max`.
std::vector<double> CountBounds(int max) {
  std::vector<double> bounds;
  for (double power = 1;; power *= 10) {
    for (const double digit : {1, 2, 5}) {
      if (digit * power > max) return bounds;
      bounds.push_back(digit * power);
    }
  }
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

const char* ReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kDeadline:
      return "deadline";
    case FinishReason::kCancelled:
    case FinishReason::kAborted:
      return "abort";
    case FinishReason::kFailed:
      return "error";
  }
  CHECK(false);
  return "";
}

// Adds metrics that all carry the same labels.
class Adder {
 public:
  Adder(MetricsRegistry* registry, const std::string& model_name)
      : registry_(registry), labels_{{"engine", "0"}, {"model_name", model_name}} {}

  Gauge* AddGauge(const std::string& name, const std::string& help) const {
    return registry_->AddGauge("vllm:" + name, help, labels_);
  }
  Counter* AddCounter(const std::string& name, const std::string& help) const {
    return registry_->AddCounter("vllm:" + name, help, labels_);
  }
  Histogram* AddHistogram(const std::string& name, const std::string& help,
                          std::vector<double> bounds) const {
    return registry_->AddHistogram("vllm:" + name, help, std::move(bounds), labels_);
  }
  Counter* AddEnded(FinishReason reason) const {
    MetricLabels labels = labels_;
    labels.insert(labels.begin() + 1, {"finished_reason", ReasonName(reason)});
    return registry_->AddCounter("vllm:request_success_total", "Sequences that ended, by reason.",
                                 std::move(labels));
  }

 private:
  MetricsRegistry* const registry_;
  const MetricLabels labels_;
};

}  // namespace

RequestRecord::RequestRecord(const Request& request, TimePoint arrival_in)
    : arrival(arrival_in),
      prompt_tokens(static_cast<int>(request.prompt().size())),
      choices(request.n()),
      choices_left(request.n()) {}

EngineMetrics::EngineMetrics(MetricsRegistry* registry, const std::string& model_name,
                             int max_model_len) {
  const Adder add(registry, model_name);
  running_ = add.AddGauge("num_requests_running", "Sequences that run.");
  waiting_ = add.AddGauge("num_requests_waiting", "Sequences that wait to run.");
  cache_usage_ = add.AddGauge("kv_cache_usage_perc", "Cache blocks in use; 1 is all of them.");
  prefix_queries_ =
      add.AddCounter("prefix_cache_queries_total", "Tokens looked up in the prefix cache.");
  prefix_hits_ = add.AddCounter("prefix_cache_hits_total", "Tokens found in the prefix cache.");
  preemptions_ =
      add.AddCounter("num_preemptions_total", "Sequences that lost their blocks to another.");
  prompt_tokens_ = add.AddCounter("prompt_tokens_total", "Prompt tokens of computed prompts.");
  prompt_tokens_cached_ = add.AddCounter("prompt_tokens_cached_total",
                                         "Of prompt_tokens_total, those from the prefix cache.");
  generation_tokens_ = add.AddCounter("generation_tokens_total", "Sampled tokens.");
  iteration_tokens_ =
      add.AddHistogram("iteration_tokens_total", "Tokens per engine step.", IterationTokenBounds());
  request_prompt_tokens_ = add.AddHistogram("request_prompt_tokens", "Prompt tokens per request.",
                                            CountBounds(max_model_len));
  request_generation_tokens_ = add.AddHistogram(
      "request_generation_tokens", "Sampled tokens per sequence.", CountBounds(max_model_len));
  request_params_n_ =
      add.AddHistogram("request_params_n", "The parameter n of requests.", CountBounds(20));
  request_params_max_tokens_ =
      add.AddHistogram("request_params_max_tokens", "The parameter max_tokens of requests.",
                       CountBounds(max_model_len));
  time_to_first_token_ = add.AddHistogram("time_to_first_token_seconds",
                                          "From arrival to the first token.", FirstTokenBounds());
  inter_token_latency_ =
      add.AddHistogram("inter_token_latency_seconds", "Between two tokens.", TokenIntervalBounds());
  e2e_latency_ = add.AddHistogram("e2e_request_latency_seconds",
                                  "From arrival to the end of a sequence.", RequestTimeBounds());
  queue_time_ = add.AddHistogram("request_queue_time_seconds",
                                 "From arrival until a request first runs.", RequestTimeBounds());
  prefill_time_ = add.AddHistogram("request_prefill_time_seconds",
                                   "From when a request first runs until its prompt is computed.",
                                   RequestTimeBounds());
  decode_time_ =
      add.AddHistogram("request_decode_time_seconds", "From a sequence's first token to its last.",
                       RequestTimeBounds());
  for (const FinishReason reason :
       {FinishReason::kStop, FinishReason::kLength, FinishReason::kDeadline,
        FinishReason::kCancelled, FinishReason::kAborted, FinishReason::kFailed}) {
    ended_[reason] = add.AddEnded(reason);
  }
}

void EngineMetrics::OnSubmit(const Request& request) {
  request_params_n_->Observe(request.n());
  request_params_max_tokens_->Observe(request.max_tokens());
}

void EngineMetrics::OnEvent(const SchedulerEvent& event, TimePoint now, RequestRecord* record) {
  RequestRecord::Choice* choice = &record->choices.at(event.event.choice);
  if (event.event.prompt != nullptr && !record->prompt_done) {
    OnPrompt(*event.event.prompt, *event.started, now, record);
  }
  if (event.event.token.has_value()) OnToken(now, record, choice);
  if (event.event.finish.has_value()) OnEnd(*event.event.finish, now, record, choice);
}

void EngineMetrics::OnPrompt(const PromptResult& prompt, TimePoint started, TimePoint now,
                             RequestRecord* record) {
  record->prompt_done = true;
  prompt_tokens_->Add(record->prompt_tokens);
  prompt_tokens_cached_->Add(prompt.cached_tokens);
  request_prompt_tokens_->Observe(record->prompt_tokens);
  queue_time_->Observe(Seconds(started - record->arrival));
  prefill_time_->Observe(Seconds(now - started));
}

void EngineMetrics::OnToken(TimePoint now, RequestRecord* record, RequestRecord::Choice* choice) {
  ++choice->tokens;
  ++generated_tokens_;
  generation_tokens_->Add();
  if (choice->first_token.has_value()) {
    inter_token_latency_->Observe(Seconds(now - *choice->last_token));
  } else {
    choice->first_token = now;
    time_to_first_token_->Observe(Seconds(now - record->arrival));
  }
  choice->last_token = now;
}

void EngineMetrics::OnEnd(FinishReason reason, TimePoint now, RequestRecord* record,
                          RequestRecord::Choice* choice) {
  choice->ended = true;
  --record->choices_left;
  ended_.at(reason)->Add();
  e2e_latency_->Observe(Seconds(now - record->arrival));
  request_generation_tokens_->Observe(choice->tokens);
  if (choice->first_token.has_value()) {
    decode_time_->Observe(Seconds(*choice->last_token - *choice->first_token));
  }
}

void EngineMetrics::OnCancel(TimePoint now, RequestRecord* record) {
  for (RequestRecord::Choice& choice : record->choices) {
    if (!choice.ended) OnEnd(FinishReason::kCancelled, now, record, &choice);
  }
}

void EngineMetrics::OnStep(const StepPlan& plan) {
  iteration_tokens_->Observe(static_cast<double>(plan.token_ids.size()));
  for (const SequenceSlice& slice : plan.slices) {
    if (slice.row_count > 1) chunk_tokens_ += slice.row_count;
  }
}

void EngineMetrics::OnStats(const SchedulerStats& stats) {
  running_->Set(stats.running_sequences);
  waiting_->Set(stats.waiting_sequences);
  cache_usage_->Set(static_cast<double>(stats.blocks_used) / stats.blocks_total);
  const auto add = [](Counter* counter, std::uint64_t now, std::uint64_t before) {
    if (now > before) counter->Add(static_cast<double>(now - before));
  };
  add(preemptions_, stats.preemptions, last_stats_.preemptions);
  add(prefix_queries_, stats.prefix_queried_tokens, last_stats_.prefix_queried_tokens);
  add(prefix_hits_, stats.prefix_hit_tokens, last_stats_.prefix_hit_tokens);
  last_stats_ = stats;
}

}  // namespace engram
