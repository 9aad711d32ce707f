// SPDX-License-Identifier: Apache-2.0
// Tokens per second of a checkpoint, or of a config alone with --load-format dummy, through the
// real scheduler and executor, without transports and text (engine_runner.h). Prompts and answers
// are uniform random ids with a token map of raw id mod V′, or pieces of a text (--text). The
// prefix cache is off. With --engram both, --prefetch both, or both of them, the ways take turns.
//
//   bazel run //tools/bench:engine_bench -- --model models/engram-demo --threads 2 --batch 1,16
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/engram_storage_json.h"
#include "engine/model/model_config.h"
#include "engine/runtime/model_runtime.h"
#include "nlohmann/json.hpp"
#include "tools/bench/bench_tokens.h"
#include "tools/bench/engine_runner.h"
#include "tools/bench/rates.h"

namespace engram {
namespace {

using bench::EngineRunner;
using bench::Lookups;

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
  std::string prefetch = "on";
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
  app.add_option("--prefetch", flags->prefetch,
                 "off: rows are gathered at the layer; both: runs with and without take turns")
      ->check(CLI::IsMember({"on", "off", "both"}));
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

// What takes turns.
std::vector<Lookups> Kinds(const Flags& flags) {
  std::vector<Lookups> kinds;
  if (flags.engram != "off" && flags.prefetch != "off") kinds.push_back(Lookups::kAhead);
  if (flags.engram != "off" && flags.prefetch != "on") kinds.push_back(Lookups::kAtLayer);
  if (flags.engram != "on") kinds.push_back(Lookups::kNone);
  return kinds;
}

absl::StatusOr<EngineRunner> Load(const Flags& flags) {
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
  options.scheduler.max_num_seqs = *std::ranges::max_element(flags.batches);
  options.scheduler.max_model_len = flags.prompt_len + flags.output_len;
  options.scheduler.max_num_batched_tokens = flags.max_num_batched_tokens;
  options.scheduler.enable_prefix_caching = false;
  const bool both_ways = flags.engram != "off" && flags.prefetch == "both";
  if (both_ways && !config.has_engram()) {
    return absl::InvalidArgumentError("--prefetch both: the model has no Engram");
  }
  return EngineRunner::Load(
      {.runtime = std::move(options),
       .lookups = flags.prefetch == "off" ? Lookups::kAtLayer : Lookups::kAhead,
       .both_ways = both_ways},
      std::move(tokens));
}

// All runs of one kind, in tokens per second.
struct Rates {
  std::vector<double> prefill;
  std::vector<double> decode;
};

void PrintRow(int batch, int prompt_len, const char* name, int digits, const bench::Numbers& p,
              const bench::Numbers& d) {
  std::printf("%6d %8d %14s %10.*f (%7.*f – %7.*f) %10.*f (%7.*f – %7.*f)\n", batch, prompt_len,
              name, digits, p.median, digits, p.least, digits, p.most, digits, d.median, digits,
              d.least, digits, d.most);
}

// Prints how `rates` compare with `of`, and returns it.
nlohmann::json Compare(const Flags& flags, int batch, const char* name, const Rates& rates,
                       const Rates& of) {
  const bench::Numbers p = bench::Ratio(rates.prefill, of.prefill);
  const bench::Numbers d = bench::Ratio(rates.decode, of.decode);
  PrintRow(batch, flags.prompt_len, name, 3, p, d);
  return {{"prefill", bench::ToJson(p)}, {"decode", bench::ToJson(d)}};
}

nlohmann::json RunBatch(const Flags& flags, int batch, int repeat, EngineRunner* runner) {
  const std::vector<Lookups> kinds = Kinds(flags);
  std::map<Lookups, Rates> rates;
  // Each run has ids of its own: rows that another one has read may be in a cache.
  const int first = flags.seed * kRunsPerSeed;
  for (int run = 0; run < repeat; ++run) {
    // Whoever goes first finds other things in the caches: in turns.
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      const std::size_t which = (run + i) % kinds.size();
      const Lookups kind = kinds[which];
      const bench::EngineRun one = {
          .batch = batch,
          .prompt_len = flags.prompt_len,
          .output_len = flags.output_len,
          .number = first + run * static_cast<int>(kinds.size()) + static_cast<int>(which),
          .lookups = kind};
      rates[kind].prefill.push_back(runner->PrefillTokensPerSecond(one));
      rates[kind].decode.push_back(runner->DecodeTokensPerSecond(one));
    }
  }
  nlohmann::json rows = nlohmann::json::array();
  for (const Lookups kind : kinds) {
    const bench::Numbers p = bench::Summarise(rates[kind].prefill);
    const bench::Numbers d = bench::Summarise(rates[kind].decode);
    PrintRow(batch, flags.prompt_len, bench::LookupsName(kind), 1, p, d);
    nlohmann::json& row =
        rows.emplace_back(nlohmann::json{{"batch", batch},
                                         {"prompt_len", flags.prompt_len},
                                         {"output_len", flags.output_len},
                                         {"lookups", bench::LookupsName(kind)},
                                         {"repeat", repeat},
                                         {"prefill_tokens_per_s", bench::ToJson(p)},
                                         {"decode_tokens_per_s", bench::ToJson(d)}});
    if (kind != Lookups::kNone && rates.contains(Lookups::kNone)) {
      row["of_none"] = Compare(flags, batch, "of none", rates[kind], rates[Lookups::kNone]);
    }
    if (kind == Lookups::kAhead && rates.contains(Lookups::kAtLayer)) {
      row["of_at_layer"] =
          Compare(flags, batch, "of at layer", rates[kind], rates[Lookups::kAtLayer]);
    }
  }
  return rows;
}

nlohmann::json PrefetchJson(const EngramPrefetchStats& stats) {
  return {{"lookups", stats.lookups},
          {"gather_s", static_cast<double>(stats.gather_ns) / 1e9},
          {"stall_s", static_cast<double>(stats.stall_ns) / 1e9}};
}

int Run(const Flags& flags) {
  absl::StatusOr<EngineRunner> runner = Load(flags);
  if (!runner.ok()) {
    LOG_ERROR("{}", Message(runner.status()));
    return 1;
  }
  nlohmann::json rows = nlohmann::json::array();
  std::printf("%6s %8s %14s %30s %30s   tokens/s: median (min – max)\n", "batch", "prompt",
              "lookups", "prefill", "decode");
  for (std::size_t i = 0; i < flags.batches.size(); ++i) {
    const int repeat = flags.repeats[i % flags.repeats.size()];
    for (nlohmann::json& row : RunBatch(flags, flags.batches[i], repeat, &*runner)) {
      rows.push_back(std::move(row));
    }
  }
  const ModelRuntime& runtime = runner->runtime();
  nlohmann::json prefetch;
  for (const Lookups kind : Kinds(flags)) {
    if (kind == Lookups::kNone) continue;
    prefetch[bench::LookupsName(kind)] = PrefetchJson(runner->prefetch_stats(kind));
  }
  const nlohmann::json all = {{"model", flags.model},
                              {"load_format", flags.load_format},
                              {"backend", std::string(runtime.backend_name())},
                              {"threads", flags.threads},
                              {"tables", runtime.memory_plan().tables_storage},
                              {"text", flags.text},
                              {"seed", flags.seed},
                              {"prefetch", prefetch},
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
