// SPDX-License-Identifier: Apache-2.0
// The settings of one `engram-bench serve` run. Flags have the names and defaults of `vllm bench
// serve` where they mean the same; docs/BENCHMARKING.md lists the others.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

namespace CLI {
class App;
}

namespace engram::bench {

// Whom the load is sent to.
struct TargetOptions {
  std::string backend = "openai";  // "openai" (or "vllm", the same), "openai-chat", "grpc"
  std::string base_url;            // "http://host:port" wins over host and port
  std::string host = "127.0.0.1";
  int port = 0;          // 0: 8000, or 8001 for gRPC
  std::string endpoint;  // "": the backend's usual path
  std::string model;     // "": the first that the server lists
  std::vector<std::pair<std::string, std::string>> headers;
  std::string metrics_url;  // "": the HTTP server's own /metrics; "off": do not poll
  double request_timeout_s = 600;
  double ready_timeout_s = 0;  // 0: do not wait
  int grpc_channels = 4;
  bool token_ids = true;  // ask for the token ids of the answer, to count them
};

// What every request asks for, besides its prompt. Absent: not sent.
struct SamplingOptions {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<int> top_k;
  std::optional<double> min_p;
  std::optional<double> frequency_penalty;
  std::optional<double> presence_penalty;
  std::optional<double> repetition_penalty;
  std::optional<int> logprobs;
  bool ignore_eos = false;
  nlohmann::json extra_body = nlohmann::json::object();
};

// When requests are sent.
struct LoadOptions {
  std::int64_t num_prompts = 1000;  // 0: as many as the duration holds
  double duration_s = 0;            // 0: until num_prompts are sent
  double request_rate = std::numeric_limits<double>::infinity();  // per second
  double burstiness = 1;                                          // gamma shape; 1 = Poisson
  int max_concurrency = 0;                                        // 0: no limit
  std::string ramp_up_strategy;                                   // "", "linear", "exponential"
  double ramp_up_start_rps = 0;
  double ramp_up_end_rps = 0;
  int num_warmups = 0;
  std::uint64_t seed = 0;
};

struct DatasetOptions {
  std::string name = "random";
  std::string path;
  int vocab_size = 0;     // 0: ask the server or the tokenizer's directory
  std::string tokenizer;  // a directory with config.json
  int random_input_len = 1024;
  int random_output_len = 128;
  double random_range_ratio = 0;
  int random_prefix_len = 0;
  int prefix_len = 256;  // prefix_repetition
  int suffix_len = 256;
  int num_prefixes = 10;
  int prefix_output_len = 128;
  int custom_output_len = 256;                   // −1: the length that the file states
  std::optional<int> sharegpt_output_len;        // absent: as long as the recorded answer
  int multi_turn_max_turns = 0;                  // 0: all
  bool disable_shuffle = false;
  bool no_oversample = false;
};

struct ReportOptions {
  std::vector<std::string> percentile_metrics = {"ttft", "tpot", "itl", "e2el"};
  std::vector<double> percentiles = {90, 95, 99};
  std::vector<std::pair<std::string, double>> goodput;  // metric -> at most so many ms
  bool disable_progress = false;
  bool save_result = false;
  bool save_detailed = false;
  bool append_result = false;
  std::string result_dir;
  std::string result_filename;
  std::string html;  // "": none
  std::string label;
  std::string request_id_prefix;
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct Options {
  TargetOptions target;
  SamplingOptions sampling;
  LoadOptions load;
  DatasetOptions dataset;
  ReportOptions report;

  bool grpc() const { return target.backend == "grpc"; }
  bool chat() const { return target.backend == "openai-chat"; }
};

// Flags whose text needs more than a conversion; ResolveOptions reads them into Options.
struct RawFlags {
  std::vector<std::string> headers, goodput, metadata;
  std::string percentile_metrics, metric_percentiles, extra_body, api_key_file;
  std::optional<int> input_len, output_len;
  std::string served_model_name;
  bool num_prompts_given = false;
};

// Declares all flags on `app`. Both structs must outlive its parsing.
void AddServeFlags(CLI::App& app, Options* options, RawFlags* raw);

// After parsing: fills what RawFlags hold and refuses what does not fit together.
absl::Status ResolveOptions(const RawFlags& raw, Options* options);

}  // namespace engram::bench
