// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/serve_command.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "tools/bench/serve/dataset.h"
#include "tools/bench/serve/driver.h"
#include "tools/bench/serve/grpc_backend.h"
#include "tools/bench/serve/http_backend.h"
#include "tools/bench/serve/progress.h"
#include "tools/bench/serve/server_questions.h"

namespace engram::bench {
namespace {

// Prompts that are made before a run of unknown length; a longer one asks them again.
constexpr int kPromptsOfDuration = 1000;
constexpr std::int64_t kFarIndex = 1'000'000'000;

struct Session {
  boost::asio::io_context io{1};
  RunClock clock;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Dataset> dataset;
  HttpUrl url;  // of the HTTP server; gRPC: where --metrics-url points
  bool poll_queue = false;
  std::vector<QueueSample> queue;
};

absl::Status ResolveUrls(const Options& options, Session* session) {
  const TargetOptions& target = options.target;
  const std::string base = target.base_url.empty()
                               ? absl::StrCat("http://", target.host, ":", target.port)
                               : target.base_url;
  ASSIGN_OR_RETURN(session->url, ParseHttpUrl(base));
  session->poll_queue = target.metrics_url != "off";
  return absl::OkStatus();
}

absl::Status ConnectGrpc(Session* session, Options* options) {
  const std::string target = absl::StrCat(session->url.host, ":", session->url.port);
  const auto create = [&](const std::string& model) {
    return GrpcBackend::Create(session->io, session->clock, *options, target, model);
  };
  ASSIGN_OR_RETURN(const auto asker, create(""));
  ASSIGN_OR_RETURN(const ServerFacts facts, AskGrpcServer(*asker, options->target));
  options->target.model = facts.model;
  if (options->dataset.vocab_size == 0) options->dataset.vocab_size = facts.vocab_size;
  ASSIGN_OR_RETURN(session->backend, create(facts.model));
  return absl::OkStatus();
}

absl::Status ConnectHttp(Session* session, Options* options) {
  ASSIGN_OR_RETURN(const ServerFacts facts, AskHttpServer(session->url, options->target));
  options->target.model = facts.model;
  ASSIGN_OR_RETURN(session->backend, HttpBackend::Create(session->io, session->clock, *options,
                                                         session->url, facts.model));
  return absl::OkStatus();
}

absl::Status FindVocabSize(const Session& session, Options* options) {
  DatasetOptions& dataset = options->dataset;
  if (dataset.vocab_size == 0 && !dataset.tokenizer.empty()) {
    ASSIGN_OR_RETURN(dataset.vocab_size, ReadVocabSize(dataset.tokenizer));
  }
  if (dataset.vocab_size == 0 && !options->grpc()) {
    dataset.vocab_size = ProbeVocabSize(session.url, options->target);
  }
  if (dataset.vocab_size > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the server does not say how many token ids it has: give --vocab-size, or --tokenizer with "
      "the checkpoint's directory");
}

absl::Status MakeDataset(Session* session, Options* options) {
  const DatasetOptions& wanted = options->dataset;
  const std::uint64_t seed = options->load.seed;
  LoadOptions& load = options->load;
  if (wanted.name != "random" && wanted.name != "prefix_repetition") {
    const bool chat = options->chat() || wanted.name == "multi_turn";
    ASSIGN_OR_RETURN(session->dataset, ReadDatasetFile(wanted, chat, seed));
    if (wanted.no_oversample && load.num_prompts > 0) {
      load.num_prompts = std::min(load.num_prompts, session->dataset->size());
    }
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(FindVocabSize(*session, options));
  session->dataset = MakeTokenDataset(wanted, seed);
  if (!options->chat()) return absl::OkStatus();
  const std::int64_t prompts = load.num_prompts > 0 ? load.num_prompts : kPromptsOfDuration;
  ASSIGN_OR_RETURN(session->dataset,
                   DetokenizeDataset(session->url, options->target, *session->dataset,
                                     static_cast<int>(prompts) + load.num_warmups));
  return absl::OkStatus();
}

// Warm-ups ask what the run will not ask, so that no prompt is found in the prefix cache: what
// comes after it. A file that has no more entries begins again; of an endless dataset that the run
// takes an unknown part of, something far away.
std::int64_t WarmUpFirstIndex(const Session& session, const LoadOptions& load) {
  if (load.num_prompts > 0) return load.num_prompts;
  const std::int64_t size = session.dataset->size();
  return size > 0 ? std::max<std::int64_t>(size - load.num_warmups, 0) : kFarIndex;
}

// Errors of warm-ups are errors of the run: it would only fail more slowly.
absl::Status WarmUp(Session* session, const Options& options, const std::string& prefix) {
  if (options.load.num_warmups == 0) return absl::OkStatus();
  LoadOptions load;
  load.num_prompts = options.load.num_warmups;
  load.max_concurrency = options.load.max_concurrency > 0 ? options.load.max_concurrency : 16;
  Driver driver(session->io, session->clock, *session->backend, *session->dataset,
                {.load = load,
                 .request_id_prefix = prefix + "warmup-",
                 .first_index = WarmUpFirstIndex(*session, options.load),
                 .report_every_s = 1,
                 .report = nullptr});
  driver.Run();
  for (const RequestRecord& record : driver.TakeRecords()) {
    if (record.ok()) continue;
    return absl::UnavailableError(
        absl::StrCat("warm-up failed: ", record.error_kind, ": ", record.error));
  }
  return absl::OkStatus();
}

absl::Status StartPolling(Session* session, const Options& options) {
  if (!session->poll_queue) return absl::OkStatus();
  const std::string& wanted = options.target.metrics_url;
  if (wanted.empty() && options.grpc()) return absl::OkStatus();
  HttpUrl url = session->url;
  if (wanted.empty()) {
    url.path = "/metrics";  // of the server, not below an API's base path
  } else {
    ASSIGN_OR_RETURN(url, ParseHttpUrl(wanted));
  }
  boost::asio::co_spawn(session->io,
                        PollQueue(session->io, session->clock, url, options.target.headers,
                                  &session->queue),
                        boost::asio::detached);
  return absl::OkStatus();
}

std::string UtcDate() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &utc);
  return text;
}

std::vector<double> InMs(std::vector<double> seconds) {
  for (double& value : seconds) value *= 1000;
  return seconds;
}

std::vector<double> SendLatenesses(const std::vector<RequestRecord>& records) {
  std::vector<double> out;
  for (const RequestRecord& record : records) out.push_back(SendLateness(record));
  return out;
}

}  // namespace

absl::StatusOr<RunResult> RunServe(Options* options) {
  Session session;
  RETURN_IF_ERROR(ResolveUrls(*options, &session));
  RETURN_IF_ERROR(options->grpc() ? ConnectGrpc(&session, options)
                                  : ConnectHttp(&session, options));
  RETURN_IF_ERROR(MakeDataset(&session, options));
  std::string prefix = options->report.request_id_prefix;
  if (prefix.empty()) prefix = absl::StrFormat("bench-%08x-", std::random_device()());
  RETURN_IF_ERROR(WarmUp(&session, *options, prefix));
  RETURN_IF_ERROR(StartPolling(&session, *options));

  ProgressLine line(isatty(STDERR_FILENO) != 0);
  Driver::Params params{.load = options->load,
                        .request_id_prefix = prefix,
                        .first_index = 0,
                        .report_every_s = line.period_s(),
                        .report = nullptr};
  if (!options->report.disable_progress) {
    params.report = [&line](const LoadProgress& progress) { line.Show(progress); };
  }
  Driver driver(session.io, session.clock, *session.backend, *session.dataset, params);
  const std::clock_t cpu_before = std::clock();
  driver.Run();
  const double cpu_s = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
  line.End();

  RunResult result;
  result.date = UtcDate();
  result.model = options->target.model;
  result.records = driver.TakeRecords();
  result.metrics = ComputeMetrics(result.records, driver.duration_s(),
                                  {.percentiles = options->report.percentiles,
                                   .goodput = options->report.goodput});
  result.client = {.loop_late_ms = Summarise(InMs(driver.loop_lags_s()), {99}),
                   .send_late_ms = Summarise(InMs(SendLatenesses(result.records)), {99}),
                   .cpu_cores = cpu_s / std::max(driver.duration_s(), 1e-9)};
  result.queue = std::move(session.queue);
  return result;
}

}  // namespace engram::bench
