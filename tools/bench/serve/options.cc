// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/options.h"

#include <fstream>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace engram::bench {
namespace {

absl::Status Invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

void AddTargetFlags(CLI::App& app, TargetOptions* t, RawFlags* raw) {
  app.add_option("--backend", t->backend, "openai, vllm (the same), openai-chat or grpc")
      ->check(CLI::IsMember({"openai", "vllm", "openai-chat", "grpc"}));
  app.add_option("--base-url", t->base_url, "http://HOST:PORT; wins over --host and --port");
  app.add_option("--host", t->host, "Server's host. Default: 127.0.0.1");
  app.add_option("--port", t->port, "Server's port. Default: 8000, gRPC 8001");
  app.add_option("--endpoint", t->endpoint,
                 "Path. Default: /v1/completions or /v1/chat/completions");
  app.add_option("--model,--served-model-name", t->model,
                 "Default: the first that the server lists");
  app.add_option("--header", raw->headers, "KEY=VALUE... sent with every request");
  app.add_option("--api-key-file", raw->api_key_file, "File whose first line is the API key");
  app.add_option("--metrics-url", t->metrics_url,
                 "Where the queue's depth is polled. Default: the HTTP server's /metrics; off");
  app.add_option("--request-timeout-sec", t->request_timeout_s, "Default: 600")
      ->check(CLI::PositiveNumber);
  app.add_option("--ready-check-timeout-sec", t->ready_timeout_s,
                 "Wait this long for a first answer. Default: 0, do not wait");
  app.add_option("--grpc-channels", t->grpc_channels, "Connections for gRPC. Default: 4")
      ->check(CLI::Range(1, 256));
  app.add_flag("!--no-token-ids", t->token_ids,
               "Do not ask for token ids (return_token_ids); tokens of a message are then guessed");
}

void AddSamplingFlags(CLI::App& app, SamplingOptions* s, RawFlags* raw) {
  app.add_option("--temperature", s->temperature);
  app.add_option("--top-p", s->top_p);
  app.add_option("--top-k", s->top_k);
  app.add_option("--min-p", s->min_p);
  app.add_option("--frequency-penalty", s->frequency_penalty);
  app.add_option("--presence-penalty", s->presence_penalty);
  app.add_option("--repetition-penalty", s->repetition_penalty);
  app.add_option("--logprobs", s->logprobs);
  app.add_flag("--ignore-eos", s->ignore_eos, "Answers have exactly the wanted length");
  app.add_option("--extra-body", raw->extra_body, "JSON object merged into every request");
}

void AddLoadFlags(CLI::App& app, LoadOptions* l, RawFlags* raw) {
  app.add_option_function<std::int64_t>(
         "--num-prompts",
         [l, raw](const std::int64_t& count) {
           l->num_prompts = count;
           raw->num_prompts_given = true;
         },
         "Requests (multi-turn: conversations). Default: 1000")
      ->check(CLI::PositiveNumber);
  app.add_option("--duration", l->duration_s, "Send for so many seconds instead")
      ->check(CLI::PositiveNumber);
  app.add_option("--request-rate", l->request_rate, "Requests per second. Default: inf");
  app.add_option("--burstiness", l->burstiness, "Gamma shape of the gaps; 1 = Poisson")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-concurrency", l->max_concurrency, "Requests in flight at once")
      ->check(CLI::PositiveNumber);
  app.add_option("--ramp-up-strategy", l->ramp_up_strategy)
      ->check(CLI::IsMember({"linear", "exponential"}));
  app.add_option("--ramp-up-start-rps", l->ramp_up_start_rps)->check(CLI::PositiveNumber);
  app.add_option("--ramp-up-end-rps", l->ramp_up_end_rps)->check(CLI::PositiveNumber);
  app.add_option("--num-warmups", l->num_warmups, "Requests before the clock starts. Default: 0")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", l->seed, "Of prompts and arrivals. Default: 0");
}

void AddDatasetFlags(CLI::App& app, DatasetOptions* d, RawFlags* raw) {
  app.add_option("--dataset-name", d->name)
      ->check(CLI::IsMember({"random", "custom", "sharegpt", "prefix_repetition", "multi_turn"}));
  app.add_option("--dataset-path", d->path, "File for custom, sharegpt and multi_turn");
  app.add_option("--vocab-size", d->vocab_size, "Random ids are below. Default: ask the server");
  app.add_option("--tokenizer", d->tokenizer,
                 "Checkpoint directory; its config.json has vocab_size");
  app.add_option("--input-len", raw->input_len, "As --random-input-len");
  app.add_option("--output-len", raw->output_len, "The dataset's own output length flag");
  app.add_option("--random-input-len", d->random_input_len, "Default: 1024");
  app.add_option("--random-output-len", d->random_output_len, "Default: 128");
  app.add_option("--random-range-ratio", d->random_range_ratio, "In [0, 1). Default: 0")
      ->check(CLI::Range(0.0, 0.999));
  app.add_option("--random-prefix-len", d->random_prefix_len, "Shared by all. Default: 0");
  app.add_option("--prefix-repetition-prefix-len", d->prefix_len, "Default: 256");
  app.add_option("--prefix-repetition-suffix-len", d->suffix_len, "Default: 256");
  app.add_option("--prefix-repetition-num-prefixes", d->num_prefixes, "Default: 10")
      ->check(CLI::PositiveNumber);
  app.add_option("--prefix-repetition-output-len", d->prefix_output_len, "Default: 128");
  app.add_option("--custom-output-len", d->custom_output_len, "Default: 256; -1: the file's");
  app.add_option("--sharegpt-output-len", d->sharegpt_output_len,
                 "Default: about as long as the recorded answer");
  app.add_option("--multi-turn-max-turns", d->multi_turn_max_turns, "Default: 0, all of them")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--disable-shuffle", d->disable_shuffle);
  app.add_flag("--no-oversample", d->no_oversample, "Do not use an entry of the file twice");
}

void AddReportFlags(CLI::App& app, ReportOptions* r, RawFlags* raw) {
  app.add_option("--percentile-metrics", raw->percentile_metrics,
                 "Of ttft,tpot,itl,e2el,client_queue_time. Default: the first four");
  app.add_option("--metric-percentiles", raw->metric_percentiles, "Default: 90,95,99");
  app.add_option("--goodput", raw->goodput, "METRIC:MS..., of ttft, tpot and e2el");
  app.add_flag("--disable-tqdm", r->disable_progress, "No progress line");
  app.add_flag("--save-result", r->save_result, "Write a JSON file");
  app.add_flag("--save-detailed", r->save_detailed, "With every request in it");
  app.add_flag("--append-result", r->append_result, "Append to the file, one JSON a line");
  app.add_option("--result-dir", r->result_dir);
  app.add_option("--result-filename", r->result_filename);
  app.add_option("--html", r->html, "Write a report with plots, one file without any other");
  app.add_option("--label", r->label, "Begins the result's file name");
  app.add_option("--metadata", raw->metadata, "KEY=VALUE... kept in the result");
  app.add_option("--request-id-prefix", r->request_id_prefix, "Default: bench- and random digits");
}

// "KEY<separator>VALUE" of each entry.
absl::Status SplitPairs(const std::vector<std::string>& texts, char separator,
                        const std::string& flag,
                        std::vector<std::pair<std::string, std::string>>* out) {
  for (const std::string& text : texts) {
    const std::size_t at = text.find(separator);
    if (at == std::string::npos || at == 0) {
      return Invalid(absl::StrCat(flag, ": expected KEY", std::string(1, separator),
                                  "VALUE, found '", text, "'"));
    }
    out->emplace_back(text.substr(0, at), text.substr(at + 1));
  }
  return absl::OkStatus();
}

absl::Status ReadGoodput(const std::vector<std::string>& texts, ReportOptions* report) {
  std::vector<std::pair<std::string, std::string>> pairs;
  RETURN_IF_ERROR(SplitPairs(texts, ':', "--goodput", &pairs));
  for (const auto& [name, value] : pairs) {
    double ms = 0;
    if (name != "ttft" && name != "tpot" && name != "e2el") {
      return Invalid(absl::StrCat("--goodput: '", name, "' is none of ttft, tpot, e2el"));
    }
    if (!absl::SimpleAtod(value, &ms) || !(ms >= 0)) {
      return Invalid(absl::StrCat("--goodput ", name, ": '", value, "' is no number of ms"));
    }
    report->goodput.emplace_back(name, ms);
  }
  return absl::OkStatus();
}

absl::Status ReadMetricLists(const RawFlags& raw, ReportOptions* report) {
  if (!raw.percentile_metrics.empty()) {
    report->percentile_metrics.clear();
    const std::vector<std::string> names = absl::StrSplit(raw.percentile_metrics, ',');
    for (const std::string& name : names) {
      if (name != "ttft" && name != "tpot" && name != "itl" && name != "e2el" &&
          name != "client_queue_time") {
        return Invalid(absl::StrCat("--percentile-metrics: unknown metric '", name, "'"));
      }
      report->percentile_metrics.push_back(name);
    }
  }
  if (!raw.metric_percentiles.empty()) {
    report->percentiles.clear();
    const std::vector<std::string> texts = absl::StrSplit(raw.metric_percentiles, ',');
    for (const std::string& text : texts) {
      double percentile = 0;
      if (!absl::SimpleAtod(text, &percentile) || !(percentile >= 0 && percentile <= 100)) {
        return Invalid(absl::StrCat("--metric-percentiles: '", text, "' is not in [0, 100]"));
      }
      report->percentiles.push_back(percentile);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadApiKey(const std::string& path, TargetOptions* target) {
  if (path.empty()) return absl::OkStatus();
  std::ifstream file(path);
  std::string key;
  if (!std::getline(file, key) || key.empty()) {
    return Invalid(absl::StrCat("--api-key-file ", path, ": no key on its first line"));
  }
  target->headers.emplace_back("authorization", "Bearer " + key);
  return absl::OkStatus();
}

void ApplyGeneralLengths(const RawFlags& raw, DatasetOptions* dataset) {
  if (raw.input_len) dataset->random_input_len = *raw.input_len;
  if (!raw.output_len) return;
  dataset->random_output_len = *raw.output_len;
  dataset->prefix_output_len = *raw.output_len;
  dataset->custom_output_len = *raw.output_len;
  dataset->sharegpt_output_len = *raw.output_len;
}

absl::Status CheckTogether(const Options& o) {
  // Not a check of CLI11's: its positive numbers end below inf.
  if (!(o.load.request_rate > 0)) return Invalid("--request-rate must be positive, or inf");
  if (!o.load.ramp_up_strategy.empty()) {
    if (o.load.ramp_up_start_rps <= 0 || o.load.ramp_up_end_rps <= 0) {
      return Invalid("--ramp-up-strategy needs --ramp-up-start-rps and --ramp-up-end-rps");
    }
    if (o.load.request_rate != std::numeric_limits<double>::infinity()) {
      return Invalid("--ramp-up-strategy sets the rate: leave --request-rate out");
    }
  }
  const bool from_file = o.dataset.name != "random" && o.dataset.name != "prefix_repetition";
  if (from_file && o.dataset.path.empty()) {
    return Invalid(absl::StrCat("--dataset-name ", o.dataset.name, " needs --dataset-path"));
  }
  if (o.dataset.name == "multi_turn" && o.target.backend != "openai-chat" && !o.grpc()) {
    return Invalid("--dataset-name multi_turn needs --backend openai-chat or grpc");
  }
  if (o.load.duration_s > 0 && o.load.max_concurrency == 0 && o.load.ramp_up_strategy.empty() &&
      o.load.request_rate == std::numeric_limits<double>::infinity()) {
    return Invalid("--duration needs --request-rate, a ramp or --max-concurrency");
  }
  if (o.dataset.random_input_len + o.dataset.random_prefix_len < 1 ||
      o.dataset.random_output_len < 1 || o.dataset.prefix_len < 0 || o.dataset.suffix_len < 1 ||
      o.dataset.prefix_output_len < 1) {
    return Invalid("lengths must be at least 1 token");
  }
  return absl::OkStatus();
}

}  // namespace

void AddServeFlags(CLI::App& app, Options* options, RawFlags* raw) {
  AddTargetFlags(app, &options->target, raw);
  AddSamplingFlags(app, &options->sampling, raw);
  AddLoadFlags(app, &options->load, raw);
  AddDatasetFlags(app, &options->dataset, raw);
  AddReportFlags(app, &options->report, raw);
}

absl::Status ResolveOptions(const RawFlags& raw, Options* options) {
  RETURN_IF_ERROR(SplitPairs(raw.headers, '=', "--header", &options->target.headers));
  RETURN_IF_ERROR(ReadApiKey(raw.api_key_file, &options->target));
  RETURN_IF_ERROR(SplitPairs(raw.metadata, '=', "--metadata", &options->report.metadata));
  RETURN_IF_ERROR(ReadGoodput(raw.goodput, &options->report));
  RETURN_IF_ERROR(ReadMetricLists(raw, &options->report));
  if (!raw.extra_body.empty()) {
    options->sampling.extra_body = nlohmann::json::parse(raw.extra_body, nullptr, false);
    if (!options->sampling.extra_body.is_object()) {
      return Invalid("--extra-body: expected a JSON object");
    }
  }
  ApplyGeneralLengths(raw, &options->dataset);
  TargetOptions& target = options->target;
  if (target.port == 0) target.port = options->grpc() ? 8001 : 8000;
  if (target.endpoint.empty()) {
    target.endpoint = options->chat() ? "/v1/chat/completions" : "/v1/completions";
  }
  if (options->load.duration_s > 0 && !raw.num_prompts_given) options->load.num_prompts = 0;
  return CheckTogether(*options);
}

}  // namespace engram::bench
