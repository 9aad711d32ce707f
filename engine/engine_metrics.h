// SPDX-License-Identifier: Apache-2.0
// What the engine counts and times, under vLLM's names where the meaning is the same, so that its
// dashboards and autoscalers work unchanged.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "engine/request.h"
#include "engine/scheduler/scheduler.h"
#include "engine/step_plan.h"

namespace engram {

// What has been seen of one live request. A choice counts as one request where vLLM counts requests
// (it runs each of n choices as one); what a prompt costs is counted once.
struct RequestRecord {
  struct Choice {
    std::optional<TimePoint> first_token;
    std::optional<TimePoint> last_token;
    int tokens = 0;
    bool ended = false;
  };

  RequestRecord(const Request& request, TimePoint arrival_in);

  TimePoint arrival;
  int prompt_tokens = 0;
  bool prompt_done = false;
  std::vector<Choice> choices;  // [n]
  int choices_left = 0;
};

// Engine thread only; the metrics themselves may be read from any.
class EngineMetrics {
 public:
  // `registry` must outlive this.
  EngineMetrics(MetricsRegistry* registry, const std::string& model_name, int max_model_len);

  void OnSubmit(const Request& request);
  void OnEvent(const SchedulerEvent& event, TimePoint now, RequestRecord* record);
  // The reader dropped the request.
  void OnCancel(TimePoint now, RequestRecord* record);
  void OnStep(const StepPlan& plan);
  void OnStats(const SchedulerStats& stats);

  // Totals since the start, for the throughput log.
  std::int64_t chunk_tokens() const { return chunk_tokens_; }  // computed by prompt chunks
  std::int64_t generated_tokens() const { return generated_tokens_; }

 private:
  void OnPrompt(const PromptResult& prompt, TimePoint started, TimePoint now,
                RequestRecord* record);
  void OnToken(TimePoint now, RequestRecord* record, RequestRecord::Choice* choice);
  void OnEnd(FinishReason reason, TimePoint now, RequestRecord* record,
             RequestRecord::Choice* choice);

  // Constant after construction.
  Gauge* running_ = nullptr;
  Gauge* waiting_ = nullptr;
  Gauge* cache_usage_ = nullptr;
  Counter* prefix_queries_ = nullptr;
  Counter* prefix_hits_ = nullptr;
  Counter* preemptions_ = nullptr;
  Counter* prompt_tokens_ = nullptr;
  Counter* prompt_tokens_cached_ = nullptr;
  Counter* generation_tokens_ = nullptr;
  Histogram* iteration_tokens_ = nullptr;
  Histogram* request_prompt_tokens_ = nullptr;
  Histogram* request_generation_tokens_ = nullptr;
  Histogram* request_params_n_ = nullptr;
  Histogram* request_params_max_tokens_ = nullptr;
  Histogram* time_to_first_token_ = nullptr;
  Histogram* inter_token_latency_ = nullptr;
  Histogram* e2e_latency_ = nullptr;
  Histogram* queue_time_ = nullptr;
  Histogram* prefill_time_ = nullptr;
  Histogram* decode_time_ = nullptr;
  std::map<FinishReason, Counter*> ended_;

  SchedulerStats last_stats_;
  std::int64_t chunk_tokens_ = 0;
  std::int64_t generated_tokens_ = 0;
};

}  // namespace engram
