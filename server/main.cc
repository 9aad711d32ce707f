// SPDX-License-Identifier: Apache-2.0
// The composition root, and the only file that sees everything: settings, then model, engine and
// frontend, then both transports; serve, drain, stop. Decides nothing that another file could
// decide.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/command_line.h"
#include "config/config.h"
#include "config/exit_code.h"
#include "config/limits.h"
#include "config/option_value.h"
#include "config/read_file.h"
#include "engine/checkpoint/mapping_fault.h"
#include "engine/engine.h"
#include "engine/engram/keeper/keeper_process.h"
#include "engine/engram/token_map.h"
#include "engine/model/generation_config.h"
#include "engine/model/model_config.h"
#include "engine/runtime/model_runtime.h"
#include "server/api_keys.h"
#include "server/frontend.h"
#include "server/grpc/grpc_server.h"
#include "server/healthcheck.h"
#include "server/http/http_api.h"
#include "server/http/http_server.h"
#include "server/signals.h"
#include "server/text/chat_template.h"
#include "server/text/token_sources.h"
#include "server/text/tokenizer.h"
#include "server/version.h"

namespace engram {
namespace {

constexpr std::chrono::seconds kAbortGrace{5};   // for aborted requests to end
constexpr std::chrono::seconds kAnswerGrace{5};  // for finished answers to reach their clients
constexpr std::chrono::milliseconds kPollInterval{10};

int Fail(ExitCode code, const absl::Status& status) {
  std::fprintf(stderr, "engram-server: %s\n", Message(status).c_str());
  return static_cast<int>(code);
}

// ---- Model ----

struct LoadedModel {
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ChatTemplate> chat;
  GenerationConfig generation;
  std::unique_ptr<ModelRuntime> runtime;
};

ModelRuntimeOptions MakeRuntimeOptions(const Config& config, MetricsRegistry* metrics) {
  ModelRuntimeOptions options{
      .model_directory = config.model,
      .dummy_weights = config.dummy_weights,
      .seed = config.seed,
      .backend = config.backend,
      .threads = config.threads,
      .scheduler = config.scheduler,
      .kv_cache_bytes = config.kv_cache_bytes,
      .prefetch =
          config.engram_prefetch ? EngramPrefetchMode::kAhead : EngramPrefetchMode::kAtLayer,
      .prefetch_workers = config.engram_prefetch_workers,
      .metrics = metrics,
      .engram_storage = config.engram_storage,
  };
  std::random_device random;
  for (std::uint64_t& word : options.scheduler.prefix_hash_key) {
    word = (std::uint64_t{random()} << 32) | random();
  }
  return options;
}

absl::StatusOr<LoadedModel> LoadModelFiles(const Config& config, MetricsRegistry* metrics) {
  LoadedModel model;
  LOG_INFO("loading {}", config.model);
  ASSIGN_OR_RETURN(const ModelConfig model_config, ModelConfig::Load(config.model));
  ASSIGN_OR_RETURN(model.generation, GenerationConfig::Load(config.model, model_config.vocab_size));
  LOG_INFO("loading: tokenizer");
  ASSIGN_OR_RETURN(model.tokenizer, Tokenizer::Load(config.model));
  ASSIGN_OR_RETURN(model.chat,
                   ChatTemplate::Recognise(model.tokenizer->chat_template(), *model.tokenizer));
  TokenMap token_map;
  if (model_config.has_engram()) token_map = BuildTokenMap(TokenSources(*model.tokenizer));
  ASSIGN_OR_RETURN(
      model.runtime,
      ModelRuntime::Load(MakeRuntimeOptions(config, metrics), std::move(token_map),
                         [](std::string_view phase) { LOG_INFO("loading: {}", phase); }));
  return model;
}

ExitCode CodeOfLoadError(const absl::Status& status) {
  return absl::IsResourceExhausted(status) ? ExitCode::kMemory : ExitCode::kModel;
}

SamplingParams DefaultSampling(const GenerationConfig& generation) {
  SamplingParams sampling;
  sampling.temperature = generation.temperature.value_or(sampling.temperature);
  sampling.top_k = generation.top_k.value_or(sampling.top_k);
  sampling.top_p = generation.top_p.value_or(sampling.top_p);
  sampling.min_p = generation.min_p.value_or(sampling.min_p);
  sampling.repetition_penalty = generation.repetition_penalty.value_or(sampling.repetition_penalty);
  if (!generation.do_sample.value_or(true)) sampling.temperature = 0;
  return sampling;
}

FrontendOptions MakeFrontendOptions(const Config& config, const LoadedModel& model) {
  const ModelConfig& model_config = model.runtime->config();
  const SchedulerOptions& scheduler = model.runtime->scheduler_options();
  std::set<std::int32_t> eos(model_config.eos_token_ids.begin(), model_config.eos_token_ids.end());
  eos.insert(model.generation.eos_token_ids.begin(), model.generation.eos_token_ids.end());
  FrontendOptions options{
      .limits = {.max_model_len = scheduler.max_model_len,
                 .vocab_size = model_config.vocab_size,
                 .cache_tokens = model.runtime->memory_plan().cache_tokens(),
                 .eos_token_ids = {eos.begin(), eos.end()},
                 .has_engram = model_config.has_engram()},
      .model_name = config.served_model_names.front(),
      .model_aliases = {config.served_model_names.begin() + 1, config.served_model_names.end()},
      .default_sampling = {},
  };
  if (config.generation_config) options.default_sampling = DefaultSampling(model.generation);
  return options;
}

OpenAiApiOptions MakeOpenAiOptions(const Config& config, const LoadedModel& model) {
  const ModelConfig& model_config = model.runtime->config();
  return {.model_root = config.model,
          .fingerprint = std::string("engram-server-") + kVersion,
          .engram_layers = model_config.engram.layer_ids,
          .engram_streams = model_config.hc_mult};
}

absl::StatusOr<ApiKeys> LoadApiKeys(const std::string& path) {
  if (path.empty()) return ApiKeys();
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, limits::kApiKeyFileBytesMax));
  auto keys = ApiKeys::Parse(text);
  if (!keys.ok()) return absl::InvalidArgumentError(path + ": " + Message(keys.status()));
  return keys;
}

// ---- Serving ----

// Members are destroyed in the opposite order: what is used outlives its users.
class Server {
 public:
  Server(const Config& config, ApiKeys keys)
      : config_(config),
        keys_(std::move(keys)),
        http_api_({.admin = {.version = kVersion, .watchdog = config.watchdog}, .keys = keys_},
                  &metrics_, &clock_) {}

  // Takes the ports, so that probes get an answer while the model loads.
  absl::Status Listen() {
    ASSIGN_OR_RETURN(
        http_,
        HttpServer::Start(
            {.host = config_.host, .port = config_.http_port, .threads = config_.http_threads},
            [this](std::shared_ptr<HttpExchange> exchange) {
              http_api_.Handle(std::move(exchange));
            },
            HttpApi::ErrorBody));
    ASSIGN_OR_RETURN(grpc_, GrpcServer::Start({.host = config_.host,
                                               .port = config_.grpc_port,
                                               .threads = config_.grpc_threads,
                                               .reflection = config_.grpc_reflection,
                                               .version = kVersion},
                                              keys_, &clock_, &metrics_));
    LOG_INFO("listening on {}: HTTP {}, gRPC {}", config_.host, http_->port(), grpc_->port());
    return absl::OkStatus();
  }

  void Serve(LoadedModel model) {
    model_ = std::move(model);
    engine_ = Engine::Create({.scheduler = model_.runtime->scheduler_options(),
                              .model_name = config_.served_model_names.front()},
                             model_.runtime->TakeExecutor(), &clock_, &metrics_);
    frontend_ =
        std::make_unique<Frontend>(MakeFrontendOptions(config_, model_), model_.tokenizer.get(),
                                   model_.chat.get(), engine_.get(), &clock_);
    http_api_.StartServing(MakeOpenAiOptions(config_, model_), frontend_.get());
    grpc_->Serve(frontend_.get());
  }

  // Refuses what is new, finishes what runs as long as it may, ends the rest.
  void Drain() {
    http_api_.BeginDrain();
    grpc_->BeginDrain();
    engine_->BeginDrain();
    if (!engine_->WaitIdle(config_.drain_timeout)) {
      LOG_WARNING("drain timeout: ending {} running and {} waiting requests",
                  engine_->stats().running_sequences, engine_->stats().waiting_requests);
      engine_->AbortAll();
      engine_->WaitIdle(kAbortGrace);
    }
    http_->StopAccepting();
    const TimePoint give_up = clock_.Now() + kAnswerGrace;
    while (http_->open_connections() > 0 && clock_.Now() < give_up) {
      std::this_thread::sleep_for(kPollInterval);
    }
    grpc_->Stop();
    http_->Stop();
  }

  // Of the whole process; the model's parts add theirs while it loads.
  MetricsRegistry* metrics() { return &metrics_; }

  void PrintExample() const {
    const bool chat = !model_.tokenizer->chat_template().empty();
    const bool everywhere = config_.host == "0.0.0.0" || config_.host == "::";
    std::printf(
        "\nTry it:\n"
        "  curl http://%s:%d/v1/%s -H 'Content-Type: application/json'%s -d '{\n"
        "    \"model\": \"%s\", \"max_tokens\": 64,\n    %s}'\n\n",
        everywhere ? "127.0.0.1" : config_.host.c_str(), http_->port(),
        chat ? "chat/completions" : "completions",
        keys_.required() ? " -H \"Authorization: Bearer $API_KEY\"" : "",
        config_.served_model_names.front().c_str(),
        chat ? "\"messages\": [{\"role\": \"user\", \"content\": \"What is the capital of "
               "France?\"}]"
             : "\"prompt\": \"The capital of France is\"");
    std::fflush(stdout);
  }

 private:
  const Config& config_;
  const ApiKeys keys_;
  const SteadyClock clock_;
  MetricsRegistry metrics_;
  HttpApi http_api_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<GrpcServer> grpc_;
  LoadedModel model_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Frontend> frontend_;
};

// ---- Commands ----

int RunServe(const Config& config) {
  const SteadyClock clock;
  const TimePoint started = clock.Now();
  StopSignals signals;  // before any other thread
  LOG_INFO("engram-server {}", kVersion);
  auto keys = LoadApiKeys(config.api_key_file);
  if (!keys.ok()) return Fail(ExitCode::kUsage, keys.status());

  Server server(config, *std::move(keys));
  if (const absl::Status status = server.Listen(); !status.ok()) {
    return Fail(ExitCode::kListen, status);
  }
  auto model = LoadModelFiles(config, server.metrics());
  if (!model.ok()) return Fail(CodeOfLoadError(model.status()), model.status());
  // First: whoever sees that it is ready may ask it to stop, and then it must drain.
  signals.BeginServing();
  server.Serve(*std::move(model));
  LOG_INFO("ready after {:.1f} s: serving {}",
           std::chrono::duration<double>(clock.Now() - started).count(),
           config.served_model_names.front());
  if (!config.log_json) server.PrintExample();

  const int signal = signals.WaitForStop();
  LOG_INFO("signal {}: finishing what runs, for at most {} s", signal,
           ShowSeconds(config.drain_timeout));
  server.Drain();
  LOG_INFO("stopped");
  return static_cast<int>(ExitCode::kOk);
}

int RunCheckConfig(const Config& config) {
  const auto keys = LoadApiKeys(config.api_key_file);
  if (!keys.ok()) return Fail(ExitCode::kUsage, keys.status());
  const auto model = LoadModelFiles(config, nullptr);
  if (!model.ok()) return Fail(CodeOfLoadError(model.status()), model.status());
  std::printf("%s: OK\n", config.model.c_str());
  return static_cast<int>(ExitCode::kOk);
}

int RunHealthcheck(const HealthcheckOptions& options) {
  const absl::Status status =
      CheckHealth(options.host, options.port, options.path, options.timeout);
  return status.ok() ? static_cast<int>(ExitCode::kOk) : Fail(ExitCode::kFailed, status);
}

int RunTableKeeper(const TableKeeperCommand& command) {
  InitLog(LogFormat::kText, "info");
  if (!command.list && command.drop.empty()) {
    const absl::Status status = KeepTables(command.socket_path, command.memory_bytes);
    return status.ok() ? static_cast<int>(ExitCode::kOk) : Fail(ExitCode::kFailed, status);
  }
  const auto answer = AskTableKeeper(command.socket_path, command.drop);
  if (!answer.ok()) return Fail(ExitCode::kFailed, answer.status());
  if (!answer->empty()) std::printf("%s\n", answer->c_str());
  return static_cast<int>(ExitCode::kOk);
}

int Run(const CommandLine& line) {
  switch (line.command) {
    case Command::kPrint:
      std::printf("%s\n", line.text.c_str());
      return static_cast<int>(ExitCode::kOk);
    case Command::kHealthcheck:
      return RunHealthcheck(line.healthcheck);
    case Command::kTableKeeper:
      return RunTableKeeper(line.table_keeper);
    case Command::kServe:
    case Command::kCheckConfig:
      break;
  }
  InstallMappingFaultHandler();
  InitLog(line.config.log_json ? LogFormat::kJson : LogFormat::kText, line.config.log_level);
  return line.command == Command::kServe ? RunServe(line.config) : RunCheckConfig(line.config);
}

}  // namespace
}  // namespace engram

int main(int argc, char** argv) {
  const auto line =
      engram::ParseCommandLine(argc, argv, std::string("engram-server ") + engram::kVersion);
  if (!line.ok()) return engram::Fail(engram::ExitCode::kUsage, line.status());
  return engram::Run(*line);
}
