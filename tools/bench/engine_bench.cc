// SPDX-License-Identifier: Apache-2.0
// Tokens per second of a checkpoint, or of a config alone with --load-format dummy, through the
// real scheduler and executor, without transports and text. Prefill and decode are timed apart:
//   prefill: `batch` prompts with one output token each, from the first plan to the last commit;
//   decode:  the steps in which all `batch` sequences have one row each.
// Prompts and answers are uniform random ids with a token map of raw id mod V′, or pieces of a text
// (--text): the answers are given and not the model's, so that every run looks up the same rows.
// The prefix cache is off. With --engram both, runs with and without lookups take turns.
//
//   bazel run //tools/bench:engine_bench -- --model models/engram-demo --threads 2 --batch 1,16
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "base/check.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/engram_storage_json.h"
#include "engine/model/model_config.h"
#include "engine/runtime/model_runtime.h"
#include "engine/scheduler/scheduler.h"
#include "nlohmann/json.hpp"
#include "tools/bench/bench_tokens.h"

namespace engram {
namespace {

constexpr int kRunsPerSeed = 10'000;

struct Flags {
  std::string model;
  std::string load_format = "auto";
  std::string backend = "auto";
  int threads = 0;
  std::vector<int> batches = {1};
  int prompt_len = 512;
  int output_len = 64;
  int max_num_batched_tokens = 2048;
  std::string engram = "on";
  std::string engram_config = "{}";
  std::string text;
  bool prefetch = true;
  std::vector<int> repeats = {5};
  int seed = 0;
  std::string json_file;
};

// Returns an exit status if the process should end here.
std::optional<int> ParseFlags(int argc, char** argv, Flags* flags) {
  CLI::App app("Prefill and decode tokens per second of a model");
  app.add_option("--model", flags->model, "Checkpoint directory")->required();
  app.add_option("--load-format", flags->load_format, "auto, or dummy: weights from config.json")
      ->check(CLI::IsMember({"auto", "dummy"}));
  app.add_option("--backend", flags->backend, "auto, cpu or ref");
  app.add_option("--threads", flags->threads, "0 = one per processor");
  app.add_option("--batch", flags->batches, "Sequences at once; a list gives a row each")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--prompt-len", flags->prompt_len)->check(CLI::PositiveNumber);
  app.add_option("--output-len", flags->output_len)->check(CLI::Range(2, 1 << 20));
  app.add_option("--max-num-batched-tokens", flags->max_num_batched_tokens);
  app.add_option(
         "--engram", flags->engram,
         "off: the requests' memory is off, the layer computes on zero rows; both: runs with "
         "and without take turns")
      ->check(CLI::IsMember({"on", "off", "both"}));
  app.add_option("--engram-config", flags->engram_config, "As engram-server's");
  app.add_option("--text", flags->text, "Pieces of this file instead of random ids")
      ->check(CLI::ExistingFile);
  // CLI11 takes on/off, true/false, 1/0.
  app.add_option("--prefetch", flags->prefetch, "off: rows are gathered at the layer");
  app.add_option("--repeat", flags->repeats,
                 "Runs; the median is reported. One number, or a list as --batch")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", flags->seed, "Of the ids: another one asks for other rows")
      ->check(CLI::Range(0, 100'000));
  app.add_option("--json", flags->json_file, "Also write the results here");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return std::nullopt;
}

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

class Bench {
 public:
  static absl::StatusOr<Bench> Load(const Flags& flags) {
    ASSIGN_OR_RETURN(const ModelConfig config, ModelConfig::Load(flags.model));
    ASSIGN_OR_RETURN(bench::BenchTokens tokens, flags.text.empty()
                                                    ? bench::RandomTokens(config)
                                                    : bench::TokensOfText(flags.text, flags.model));
    ModelRuntimeOptions options;
    ASSIGN_OR_RETURN(options.engram_storage, ParseEngramStorage(flags.engram_config));
    options.model_directory = flags.model;
    options.dummy_weights = flags.load_format == "dummy";
    options.backend = flags.backend;
    options.threads = flags.threads;
    options.prefetch = flags.prefetch ? EngramPrefetchMode::kAhead : EngramPrefetchMode::kAtLayer;
    options.scheduler.max_num_seqs = *std::ranges::max_element(flags.batches);
    options.scheduler.max_model_len = flags.prompt_len + flags.output_len;
    options.scheduler.max_num_batched_tokens = flags.max_num_batched_tokens;
    options.scheduler.enable_prefix_caching = false;
    ASSIGN_OR_RETURN(std::unique_ptr<ModelRuntime> runtime,
                     ModelRuntime::Load(options, tokens.token_map, [](std::string_view phase) {
                       LOG_INFO("load: {}", phase);
                     }));
    return Bench(flags, std::move(tokens), std::move(runtime));
  }

  double PrefillTokensPerSecond(int batch, int run, bool engram) {
    Scheduler scheduler(runtime_->scheduler_options());
    AddRequests(batch, /*output_len=*/1, run, engram, &scheduler);
    const auto start = std::chrono::steady_clock::now();
    while (scheduler.HasWork()) Step(&scheduler);
    return batch * flags_.prompt_len / Seconds(start);
  }

  double DecodeTokensPerSecond(int batch, int run, bool engram) {
    Scheduler scheduler(runtime_->scheduler_options());
    AddRequests(batch, flags_.output_len, run, engram, &scheduler);
    double seconds = 0;
    int steps = 0;
    while (scheduler.HasWork()) {
      const auto start = std::chrono::steady_clock::now();
      if (Step(&scheduler) != batch) continue;
      seconds += Seconds(start);
      ++steps;
    }
    CHECK_GT(steps, 0);
    return batch * steps / seconds;
  }

  const ModelRuntime& runtime() const { return *runtime_; }

 private:
  Bench(const Flags& flags, bench::BenchTokens tokens, std::unique_ptr<ModelRuntime> runtime)
      : flags_(flags),
        tokens_(std::move(tokens)),
        runtime_(std::move(runtime)),
        executor_(runtime_->TakeExecutor()) {}

  void AddRequests(int batch, int output_len, int run, bool engram, Scheduler* scheduler) {
    run += flags_.seed * kRunsPerSeed;
    const ModelConfig& config = runtime_->config();
    const SchedulerOptions& options = runtime_->scheduler_options();
    const RequestLimits limits = {
        .max_model_len = options.max_model_len,
        .vocab_size = config.vocab_size,
        .cache_tokens = std::int64_t{options.block_count} * options.block_size,
        .eos_token_ids = {},
        .has_engram = config.has_engram()};
    executor_->SetNextTokenForTest([this, run](const SampleRow& row) {
      return tokens_.At(run, static_cast<int>(row.seed), row.position);
    });
    for (int i = 0; i < batch; ++i) {
      RequestParams params;
      for (int t = 0; t < flags_.prompt_len; ++t) params.prompt.push_back(tokens_.At(run, i, t));
      params.max_tokens = output_len;
      params.seed = i;
      params.sampling.temperature = 0;
      params.engram_enabled = engram || !config.has_engram();
      absl::StatusOr<Request> request = Request::Create(std::move(params), limits);
      CHECK_MSG(request.ok(), Message(request.status()));
      scheduler->Add(RequestKey(i), *std::move(request), TimePoint{});
    }
  }

  // One step. Returns its rows if each is a sequence's next token, else 0.
  int Step(Scheduler* scheduler) {
    std::vector<SchedulerEvent> events;
    const std::optional<StepPlan> plan = scheduler->Plan(TimePoint{}, &events);
    CHECK(plan.has_value());
    const int rows = static_cast<int>(plan->token_ids.size());
    const bool decode = plan->slices.size() == plan->token_ids.size();
    scheduler->Commit(*plan, executor_->Execute(*plan), &events);
    return decode ? rows : 0;
  }

  Flags flags_;
  bench::BenchTokens tokens_;
  std::unique_ptr<ModelRuntime> runtime_;
  std::unique_ptr<Executor> executor_;
};

struct Numbers {
  double median;
  double least;
  double most;
};

Numbers Summarise(std::vector<double> values) {
  std::ranges::sort(values);
  return {values[values.size() / 2], values.front(), values.back()};
}

nlohmann::json ToJson(const Numbers& numbers) {
  return {{"median", numbers.median}, {"min", numbers.least}, {"max", numbers.most}};
}

// All runs of one batch size, with lookups or without.
struct Runs {
  std::vector<double> prefill;
  std::vector<double> decode;
};

// Of runs that took turns, the median of a run's rate to its neighbour's: what is slow for both for
// a while cancels out.
Numbers Ratio(const std::vector<double>& on, const std::vector<double>& off) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < on.size(); ++i) ratios.push_back(on[i] / off[i]);
  return Summarise(std::move(ratios));
}

// One-minute load average: how much else the machine was doing.
double LoadAverage() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

nlohmann::json RunBatch(const Flags& flags, int batch, int repeat, Bench* bench) {
  std::map<bool, Runs> runs;  // by whether there are lookups
  for (int run = 0; run < repeat; ++run) {
    // Whoever goes first finds other things in the caches: in turns.
    for (const bool engram : {run % 2 == 0, run % 2 != 0}) {
      if (flags.engram == (engram ? "off" : "on")) continue;
      runs[engram].prefill.push_back(bench->PrefillTokensPerSecond(batch, run, engram));
      runs[engram].decode.push_back(bench->DecodeTokensPerSecond(batch, run, engram));
    }
  }
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& [engram, of] : runs) {
    const Numbers p = Summarise(of.prefill);
    const Numbers d = Summarise(of.decode);
    std::printf("%6d %8d %6s %10.1f (%7.1f – %7.1f) %10.1f (%7.1f – %7.1f)\n", batch,
                flags.prompt_len, engram ? "on" : "off", p.median, p.least, p.most, d.median,
                d.least, d.most);
    rows.push_back({{"batch", batch},
                    {"prompt_len", flags.prompt_len},
                    {"output_len", flags.output_len},
                    {"engram", engram},
                    {"repeat", repeat},
                    {"prefill_tokens_per_s", ToJson(p)},
                    {"decode_tokens_per_s", ToJson(d)}});
  }
  if (runs.size() < 2) return rows;
  const Numbers p = Ratio(runs[true].prefill, runs[false].prefill);
  const Numbers d = Ratio(runs[true].decode, runs[false].decode);
  std::printf("%6d %8d %6s %10.3f (%7.3f – %7.3f) %10.3f (%7.3f – %7.3f)\n", batch,
              flags.prompt_len, "on/off", p.median, p.least, p.most, d.median, d.least, d.most);
  for (nlohmann::json& row : rows) {
    if (!row["engram"]) continue;
    row["prefill_of_off"] = ToJson(p);
    row["decode_of_off"] = ToJson(d);
  }
  return rows;
}

int Run(const Flags& flags) {
  absl::StatusOr<Bench> bench = Bench::Load(flags);
  if (!bench.ok()) {
    LOG_ERROR("{}", Message(bench.status()));
    return 1;
  }
  nlohmann::json rows = nlohmann::json::array();
  std::printf("%6s %8s %6s %30s %30s   tokens/s: median (min – max)\n", "batch", "prompt", "engram",
              "prefill", "decode");
  for (std::size_t i = 0; i < flags.batches.size(); ++i) {
    const int repeat = flags.repeats[i % flags.repeats.size()];
    for (nlohmann::json& row : RunBatch(flags, flags.batches[i], repeat, &*bench)) {
      rows.push_back(std::move(row));
    }
  }
  const ModelRuntime& runtime = bench->runtime();
  const EngramPrefetchStats stats = runtime.prefetch_stats();
  const nlohmann::json all = {{"model", flags.model},
                              {"load_format", flags.load_format},
                              {"backend", std::string(runtime.backend_name())},
                              {"threads", flags.threads},
                              {"engram", flags.engram},
                              {"tables", runtime.memory_plan().tables_storage},
                              {"text", flags.text},
                              {"prefetch", flags.prefetch},
                              {"seed", flags.seed},
                              {"lookups", stats.lookups},
                              {"gather_s", static_cast<double>(stats.gather_ns) / 1e9},
                              {"stall_s", static_cast<double>(stats.stall_ns) / 1e9},
                              {"processor", ProcessorName()},
                              {"load_average", LoadAverage()},
                              {"rows", rows}};
  std::printf("%s\n", all.dump().c_str());
  if (!flags.json_file.empty()) std::ofstream(flags.json_file) << all.dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace engram

int main(int argc, char** argv) {
  engram::InitLog(engram::LogFormat::kText, "info");
  engram::Flags flags;
  if (const std::optional<int> status = engram::ParseFlags(argc, argv, &flags)) return *status;
  return engram::Run(flags);
}
