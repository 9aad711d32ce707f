// SPDX-License-Identifier: Apache-2.0
// The result as JSON, and the files of a run.
#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tools/bench/serve/result.h"
#include "tools/bench/serve/write_file.h"

namespace engram::bench {
namespace {

using Json = nlohmann::ordered_json;

Json Rate(double rate) { return std::isfinite(rate) ? Json(rate) : Json("inf"); }

void AddDistribution(const std::string& metric, const Distribution& values, Json* out) {
  (*out)[absl::StrCat("mean_", metric, "_ms")] = values.mean;
  (*out)[absl::StrCat("median_", metric, "_ms")] = values.median;
  (*out)[absl::StrCat("std_", metric, "_ms")] = values.std;
  for (const auto& [percentile, value] : values.percentiles) {
    (*out)[absl::StrCat("p", PercentileName(percentile), "_", metric, "_ms")] = value;
  }
}

void AddRequests(const RunResult& result, Json* out) {
  for (const char* key : {"input_lens", "output_lens", "ttfts", "itls", "latencies", "start_times",
                          "queue_times", "generated_texts", "errors", "error_kinds"}) {
    (*out)[key] = Json::array();
  }
  for (const RequestRecord& record : result.records) {
    (*out)["input_lens"].push_back(record.prompt_tokens);
    (*out)["output_lens"].push_back(record.output_tokens);
    (*out)["ttfts"].push_back(TimeToFirstToken(record));
    (*out)["itls"].push_back(InterTokenLatencies(record));
    (*out)["latencies"].push_back(EndToEndLatency(record));
    (*out)["start_times"].push_back(record.sent_s);
    (*out)["queue_times"].push_back(record.sent_s - record.scheduled_s);
    (*out)["generated_texts"].push_back(record.text);
    (*out)["errors"].push_back(record.error);
    (*out)["error_kinds"].push_back(record.error_kind);
  }
}

void AddQueue(const RunResult& result, Json* out) {
  Json& queue = (*out)["queue"] = Json::array();
  for (const QueueSample& sample : result.queue) {
    queue.push_back({{"at", sample.at_s},
                     {"running", sample.running},
                     {"waiting", sample.waiting},
                     {"kv_cache_usage", sample.cache_usage}});
  }
}

std::string FileName(const RunResult& result, const Options& options) {
  if (!options.report.result_filename.empty()) return options.report.result_filename;
  const std::string label =
      options.report.label.empty() ? options.target.backend : options.report.label;
  const std::string rate = std::isfinite(options.load.request_rate)
                               ? absl::StrCat(options.load.request_rate)
                               : std::string("inf");
  const std::string concurrency =
      options.load.max_concurrency > 0
          ? absl::StrCat("-concurrency", options.load.max_concurrency)
          : std::string();
  const std::string model = result.model.substr(result.model.rfind('/') + 1);
  return absl::StrCat(label, "-", rate, "qps", concurrency, "-", model, "-", result.date, ".json");
}

double InMicroseconds(double value) { return std::round(value * 1000) / 1000; }

// The curves of the reports, so that a comparison can draw them without --save-detailed.
Json QuantilesJson(const BenchMetrics& metrics) {
  Json out = Json::object();
  for (const char* metric : {"ttft", "tpot", "itl", "e2el"}) {
    Json& values = out[metric] = Json::array();
    for (const double ms : metrics.latencies_ms.at(metric).quantiles) {
      values.push_back(InMicroseconds(ms));
    }
  }
  return out;
}

}  // namespace

Json ResultJson(const RunResult& result, const Options& options, bool detailed) {
  const BenchMetrics& m = result.metrics;
  Json out;
  out["date"] = result.date;
  out["endpoint_type"] = options.target.backend;
  out["backend"] = options.target.backend;
  out["label"] = options.report.label.empty() ? Json() : Json(options.report.label);
  out["model_id"] = result.model;
  out["tokenizer_id"] =
      options.dataset.tokenizer.empty() ? result.model : options.dataset.tokenizer;
  out["num_prompts"] = options.load.num_prompts > 0
                           ? options.load.num_prompts
                           : static_cast<std::int64_t>(result.records.size());
  for (const auto& [key, value] : options.report.metadata) out[key] = value;
  out["request_rate"] = Rate(options.load.request_rate);
  out["burstiness"] = options.load.burstiness;
  out["max_concurrency"] =
      options.load.max_concurrency > 0 ? Json(options.load.max_concurrency) : Json();
  out["duration"] = m.duration_s;
  out["completed"] = m.completed;
  out["failed"] = m.failed;
  out["total_input_tokens"] = m.total_input_tokens;
  out["total_output_tokens"] = m.total_output_tokens;
  out["request_throughput"] = m.request_throughput;
  out["request_goodput"] = m.request_goodput ? Json(*m.request_goodput) : Json();
  out["output_throughput"] = m.output_throughput;
  out["total_token_throughput"] = m.total_token_throughput;
  if (detailed) AddRequests(result, &out);
  out["max_output_tokens_per_s"] = m.max_output_tokens_per_s;
  out["max_concurrent_requests"] = m.max_concurrent_requests;
  for (const std::string& metric : options.report.percentile_metrics) {
    AddDistribution(metric, m.latencies_ms.at(metric), &out);
  }
  out["errors_by_kind"] = m.errors_by_kind;
  out["mean_client_lag_ms"] = result.client.loop_late_ms.mean;
  out["p99_client_lag_ms"] = result.client.loop_late_ms.percentiles.front().second;
  out["mean_send_lateness_ms"] = result.client.send_late_ms.mean;
  out["p99_send_lateness_ms"] = result.client.send_late_ms.percentiles.front().second;
  out["client_cpu_cores"] = result.client.cpu_cores;
  out["dataset_name"] = options.dataset.name;
  out["seed"] = options.load.seed;
  out["output_tokens_per_s"] = m.output_tokens_per_s;
  out["latency_quantiles_ms"] = QuantilesJson(m);
  out["open_requests"] = m.open_requests;
  AddQueue(result, &out);
  return out;
}

absl::Status SaveResult(const RunResult& result, const Options& options,
                        std::vector<std::string>* written) {
  const ReportOptions& report = options.report;
  if (report.save_result || report.save_detailed || report.append_result) {
    const Json json = ResultJson(result, options, report.save_detailed);
    const std::string path =
        (std::filesystem::path(report.result_dir) / FileName(result, options)).string();
    // A model may write bytes that are no UTF-8 together.
    const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    RETURN_IF_ERROR(WriteFile(path, text, report.append_result));
    written->push_back(path);
  }
  if (!report.html.empty()) {
    RETURN_IF_ERROR(WriteFile(report.html, HtmlReport(result, options), /*append=*/false));
    written->push_back(report.html);
  }
  return absl::OkStatus();
}

}  // namespace engram::bench
