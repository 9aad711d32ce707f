// SPDX-License-Identifier: Apache-2.0
#include "config/option_table.h"

#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/engram_storage_json.h"
#include "config/limits.h"
#include "config/option_value.h"

namespace engram {
namespace {

using Texts = std::vector<std::string>;

// The builders below take where the value lies in a Config, as a function to a reference.
template <typename T>
using Field = T& (*)(Config&);

template <typename T>
T Read(Field<T> field, Config config) {
  return field(config);
}

OptionSpec Text(Field<std::string> field) {
  OptionSpec spec;
  spec.kind = OptionKind::kText;
  spec.set = [field](const Texts& texts, Config* config) {
    field(*config) = texts.back();
    return absl::OkStatus();
  };
  spec.show = [field](const Config& config) { return Texts{Read(field, config)}; };
  return spec;
}

// `words` are the values of the enumerators 0, 1, …, or of false and true.
OptionSpec Word(Field<bool> field, Texts words) {
  OptionSpec spec;
  spec.kind = OptionKind::kText;
  spec.set = [field, words](const Texts& texts, Config* config) {
    ASSIGN_OR_RETURN(const int index, ParseChoice(texts.back(), words));
    field(*config) = index == 1;
    return absl::OkStatus();
  };
  spec.show = [field, words](const Config& config) {
    return Texts{words[Read(field, config) ? 1 : 0]};
  };
  return spec;
}

OptionSpec OneOf(Field<std::string> field, Texts words) {
  OptionSpec spec = Text(field);
  spec.set = [field, words](const Texts& texts, Config* config) {
    ASSIGN_OR_RETURN(const int index, ParseChoice(texts.back(), words));
    field(*config) = words[index];
    return absl::OkStatus();
  };
  return spec;
}

OptionSpec Switch(Field<bool> field) {
  OptionSpec spec;
  spec.kind = OptionKind::kBool;
  spec.set = [field](const Texts& texts, Config* config) {
    ASSIGN_OR_RETURN(field(*config), ParseBool(texts.back()));
    return absl::OkStatus();
  };
  spec.show = [field](const Config& config) {
    return Texts{Read(field, config) ? "true" : "false"};
  };
  return spec;
}

// With `automatic`, the word "auto" stands for 0.
OptionSpec Number(Field<int> field, int min, int max, bool automatic = false) {
  OptionSpec spec;
  spec.kind = OptionKind::kNumber;
  spec.set = [=](const Texts& texts, Config* config) {
    if (automatic && texts.back() == "auto") {
      field(*config) = 0;
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::int64_t value, ParseInteger(texts.back(), min, max));
    field(*config) = static_cast<int>(value);
    return absl::OkStatus();
  };
  spec.show = [=](const Config& config) {
    const int value = Read(field, config);
    return Texts{automatic && value == 0 ? "auto" : absl::StrCat(value)};
  };
  return spec;
}

OptionSpec LargeNumber(Field<std::int64_t> field, std::int64_t min, std::int64_t max) {
  OptionSpec spec;
  spec.kind = OptionKind::kNumber;
  spec.set = [=](const Texts& texts, Config* config) {
    ASSIGN_OR_RETURN(field(*config), ParseInteger(texts.back(), min, max));
    return absl::OkStatus();
  };
  spec.show = [field](const Config& config) { return Texts{absl::StrCat(Read(field, config))}; };
  return spec;
}

OptionSpec Seed(Field<std::uint64_t> field) {
  OptionSpec spec;
  spec.kind = OptionKind::kNumber;
  spec.set = [field](const Texts& texts, Config* config) {
    ASSIGN_OR_RETURN(field(*config), ParseUnsigned(texts.back()));
    return absl::OkStatus();
  };
  spec.show = [field](const Config& config) { return Texts{absl::StrCat(Read(field, config))}; };
  return spec;
}

OptionSpec Seconds(Field<Duration> field, Duration min) {
  OptionSpec spec;
  spec.kind = OptionKind::kNumber;
  spec.set = [=](const Texts& texts, Config* config) {
    ASSIGN_OR_RETURN(field(*config), ParseSeconds(texts.back(), min, limits::kTimeoutSettingMax));
    return absl::OkStatus();
  };
  spec.show = [field](const Config& config) { return Texts{ShowSeconds(Read(field, config))}; };
  return spec;
}

OptionSpec CacheBytes() {
  OptionSpec spec;
  spec.kind = OptionKind::kNumber;
  spec.set = [](const Texts& texts, Config* config) {
    config->kv_cache_bytes.reset();
    if (texts.back() == "auto") return absl::OkStatus();
    ASSIGN_OR_RETURN(config->kv_cache_bytes,
                     ParseBytes(texts.back(), limits::kCacheBytesMin, limits::kCacheBytesMax));
    return absl::OkStatus();
  };
  spec.show = [](const Config& config) {
    return Texts{config.kv_cache_bytes.has_value() ? ShowBytes(*config.kv_cache_bytes) : "auto"};
  };
  return spec;
}

OptionSpec EngramStorage() {
  OptionSpec spec;
  spec.kind = OptionKind::kObject;
  spec.set = [](const Texts& texts, Config* config) {
    ASSIGN_OR_RETURN(config->engram_storage, ParseEngramStorage(texts.back()));
    return absl::OkStatus();
  };
  spec.show = [](const Config& config) { return Texts{ShowEngramStorage(config.engram_storage)}; };
  return spec;
}

absl::Status CheckServedName(const std::string& name) {
  if (name.empty()) return absl::InvalidArgumentError("a name must not be empty");
  if (name.size() > limits::kServedNameBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a name of ", name.size(), " bytes, at most ",
                                                   limits::kServedNameBytesMax, " are allowed"));
  }
  return absl::OkStatus();
}

OptionSpec ServedNames() {
  OptionSpec spec;
  spec.kind = OptionKind::kList;
  spec.set = [](const Texts& texts, Config* config) {
    if (texts.size() > limits::kServedNamesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(texts.size(), " names, at most ", limits::kServedNamesMax, " are allowed"));
    }
    for (const std::string& name : texts) RETURN_IF_ERROR(CheckServedName(name));
    config->served_model_names = texts;
    return absl::OkStatus();
  };
  spec.show = [](const Config& config) { return config.served_model_names; };
  return spec;
}

// Adds options to the table, all under one heading of --help.
class Group {
 public:
  Group(std::string heading, std::vector<OptionSpec>* table)
      : heading_(std::move(heading)), table_(table) {}

  OptionSpec& Add(std::string name, std::string value, OptionSpec spec, std::string help) {
    spec.name = std::move(name);
    spec.value = std::move(value);
    spec.help = std::move(help);
    spec.group = heading_;
    table_->push_back(std::move(spec));
    return table_->back();
  }

 private:
  const std::string heading_;
  std::vector<OptionSpec>* const table_;
};

void AddModelOptions(std::vector<OptionSpec>* table) {
  Group group("Model", table);
  group.Add("model", "DIR", Text([](Config & c) -> auto& { return c.model; }),
            "Checkpoint directory in Hugging Face layout. Required");
  group.Add("served-model-name", "NAME...", ServedNames(),
            "Names that requests may use for the model. Default: the directory's own name");
  group.Add("load-format", "auto|dummy",
            Word([](Config & c) -> auto& { return c.dummy_weights; }, {"auto", "dummy"}),
            "auto reads the safetensors files; dummy makes random weights from config.json alone");
  group.Add("seed", "N", Seed([](Config & c) -> auto& { return c.seed; }), "Seed of dummy weights");
  group.Add("generation-config", "none|auto",
            Word([](Config & c) -> auto& { return c.generation_config; }, {"none", "auto"}),
            "auto: requests that say nothing of sampling get what the checkpoint's "
            "generation_config.json recommends; none: temperature 1 and nothing cut off");
  group.Add("max-model-len", "N|auto",
            Number(
                [](Config & c) -> auto& { return c.scheduler.max_model_len; }, 1,
                limits::kModelLenMax, true),
            "Tokens of prompt and answer together. auto: what the model was made for");
}

void AddEngineOptions(std::vector<OptionSpec>* table) {
  Group group("Engine", table);
  group.Add("backend", "auto|cpu|ref",
            OneOf([](Config & c) -> auto& { return c.backend; }, {"auto", "cpu", "ref"}),
            "What computes: SIMD on all cores, or the slow reference");
  group.Add("threads", "N|auto",
            Number(
                [](Config & c) -> auto& { return c.threads; }, 1, limits::kThreadsMax, true),
            "Compute threads. auto: one per processor");
  group.Add("kv-cache-memory", "SIZE|auto", CacheBytes(),
            "Memory of the paged cache, such as 512MiB. auto: as much as max-num-seqs sequences "
            "of full length need, within what is free");
  group.Add(
      "block-size", "N",
      Number(
          [](Config & c) -> auto& { return c.scheduler.block_size; }, 1, limits::kBlockSizeMax),
      "Tokens per cache block");
  group.Add("enable-prefix-caching", "",
            Switch([](Config & c) -> auto& { return c.scheduler.enable_prefix_caching; }),
            "Reuse the cache of prompts that begin alike");
  group.Add("engram-prefetch", "off|on",
            Word([](Config & c) -> auto& { return c.engram_prefetch; }, {"off", "on"}),
            "Fetch n-gram memory rows beside the layers before; off: at the layer. Same tokens");
  group.Add("engram-prefetch-workers", "N",
            Number(
                [](Config & c) -> auto& { return c.engram_prefetch_workers; }, 1,
                limits::kPrefetchWorkersMax),
            "Threads that fetch them");
  group.Add("engram-config", "JSON|@FILE", EngramStorage(),
            "Where the n-gram memory lies: an object with placement (auto, ram, mmap, nvme), "
            "ram_budget, threads, queue_depth, cache_bytes, huge_pages (auto, off, require), "
            "keeper (socket of a table keeper)");
}

void AddSchedulerOptions(std::vector<OptionSpec>* table) {
  Group group("Scheduling", table);
  group.Add(
      "max-num-seqs", "N",
      Number(
          [](Config & c) -> auto& { return c.scheduler.max_num_seqs; }, 1, limits::kSequencesMax),
      "Sequences that run at once");
  group.Add("max-num-batched-tokens", "N",
            Number(
                [](Config & c) -> auto& { return c.scheduler.max_num_batched_tokens; }, 1,
                limits::kBatchedTokensMax),
            "Tokens of one step");
  group.Add("enable-chunked-prefill", "",
            Switch([](Config & c) -> auto& { return c.scheduler.enable_chunked_prefill; }),
            "Let a long prompt take several steps, beside running answers");
  group.Add("max-waiting-requests", "N",
            Number(
                [](Config & c) -> auto& { return c.scheduler.max_waiting_requests; }, 1,
                limits::kWaitingRequestsMax),
            "Requests that may wait; more are refused with 429 or RESOURCE_EXHAUSTED");
  group.Add("max-waiting-tokens", "N",
            LargeNumber(
                [](Config & c) -> auto& { return c.scheduler.max_waiting_tokens; }, 1,
                limits::kWaitingTokensMax),
            "Prompt tokens that may wait; more are refused");
  group.Add("priority-aging", "SECONDS",
            Seconds(
                [](Config & c) -> auto& { return c.scheduler.priority_aging; },
                std::chrono::milliseconds(1)),
            "A request that has waited this long gains one priority level");
}

void AddTransportOptions(std::vector<OptionSpec>* table) {
  Group group("HTTP and gRPC", table);
  group.Add("host", "ADDRESS", Text([](Config & c) -> auto& { return c.host; }),
            "Address to listen on; 0.0.0.0 for all");
  group
      .Add("http-port", "N",
           Number(
               [](Config & c) -> auto& { return c.http_port; }, 0, 65535),
           "0: any free one")
      .alias = "port";
  group.Add("http-threads", "N",
            Number(
                [](Config & c) -> auto& { return c.http_threads; }, 1, limits::kThreadsMax),
            "Threads for HTTP: sockets, JSON, text");
  group.Add("grpc-port", "N",
            Number(
                [](Config & c) -> auto& { return c.grpc_port; }, 0, 65535),
            "0: any free one");
  group.Add("grpc-threads", "N",
            Number(
                [](Config & c) -> auto& { return c.grpc_threads; }, 1, limits::kGrpcThreadsMax),
            "Threads for the text work of gRPC calls");
  group.Add("enable-grpc-reflection", "",
            Switch([](Config & c) -> auto& { return c.grpc_reflection; }),
            "Let gRPC clients ask for the API's description");
  group.Add(
      "api-key-file", "FILE", Text([](Config & c) -> auto& { return c.api_key_file; }),
      "Keys that clients must send as 'Authorization: Bearer KEY', one a line; blank lines and "
      "lines that begin with # do not count. Default: no key is asked for");
}

void AddLifeOptions(std::vector<OptionSpec>* table) {
  Group group("Logging and life", table);
  group.Add("log-level", "LEVEL",
            OneOf([](Config & c) -> auto& { return c.log_level; },
                  {"trace", "debug", "info", "warning", "error", "off"}),
            "trace, debug, info, warning, error or off");
  group.Add("log-format", "text|json",
            Word([](Config & c) -> auto& { return c.log_json; }, {"text", "json"}),
            "One line each, on standard error");
  group.Add("drain-timeout", "SECONDS",
            Seconds(
                [](Config & c) -> auto& { return c.drain_timeout; }, Duration::zero()),
            "After SIGTERM: how long running requests may go on before they are ended");
  group.Add("watchdog", "SECONDS",
            Seconds(
                [](Config & c) -> auto& { return c.watchdog; }, std::chrono::milliseconds(1)),
            "/live fails when there is work and no step for so long");
}

}  // namespace

std::vector<OptionSpec> AllOptions() {
  std::vector<OptionSpec> table;
  AddModelOptions(&table);
  AddEngineOptions(&table);
  AddSchedulerOptions(&table);
  AddTransportOptions(&table);
  AddLifeOptions(&table);
  return table;
}

absl::Status CheckConsistent(const Config& config) {
  if (config.model.empty()) {
    return absl::InvalidArgumentError("--model is required: the directory of a checkpoint");
  }
  if (config.http_port != 0 && config.http_port == config.grpc_port) {
    return absl::InvalidArgumentError(
        absl::StrCat("--http-port and --grpc-port are both ", config.http_port));
  }
  const SchedulerOptions& scheduler = config.scheduler;
  if (scheduler.max_num_batched_tokens < scheduler.max_num_seqs) {
    return absl::InvalidArgumentError(
        absl::StrCat("every running sequence takes part in every step: --max-num-batched-tokens (",
                     scheduler.max_num_batched_tokens, ") must be at least --max-num-seqs (",
                     scheduler.max_num_seqs, ")"));
  }
  if (!scheduler.enable_chunked_prefill &&
      scheduler.max_num_batched_tokens < scheduler.max_model_len) {
    return absl::InvalidArgumentError(
        absl::StrCat("without chunked prefill a prompt is one step: --max-num-batched-tokens (",
                     scheduler.max_num_batched_tokens, ") must be at least --max-model-len (",
                     scheduler.max_model_len, ")"));
  }
  return absl::OkStatus();
}

}  // namespace engram
