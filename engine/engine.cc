// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/bounded_queue.h"
#include "base/check.h"
#include "base/field_error.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "engine/engine_load.h"
#include "engine/engine_metrics.h"
#include "engine/scheduler/scheduler.h"
#include "engine/throughput_log.h"
#include "engine/token_stream.h"

namespace engram {
namespace {

// An idle engine comes round this often all the same, for the log's sake and the watchdog's.
constexpr Duration kIdleRound = std::chrono::seconds(1);

struct Submission {
  RequestKey key;
  Request request;
  std::shared_ptr<TokenStream> stream;
  TimePoint arrival;
};

// What other threads ask of the engine thread: requests that belong together, or one to cancel.
struct Command {
  std::vector<Submission> submissions;
  std::optional<RequestKey> cancel;
};
using CommandQueue = BoundedQueue<Command>;

// Never reached. Between two looks into the queue the engine thread has at most W + S requests (W
// may wait and S run), S more come in when it admits others, and each can be cancelled once.
std::size_t CommandsMax(const SchedulerOptions& options) {
  return 4 * (static_cast<std::size_t>(options.max_waiting_requests) + options.max_num_seqs);
}

class EngineGeneration final : public Generation {
 public:
  EngineGeneration(RequestKey key, std::shared_ptr<TokenStream> stream,
                   std::shared_ptr<CommandQueue> commands)
      : key_(key), stream_(std::move(stream)), commands_(std::move(commands)) {}

  ~EngineGeneration() override {
    if (stream_->Abandon()) return;
    Command command;
    command.cancel = key_;
    commands_->TryPush(std::move(command));  // fails if the engine is gone, and the request with it
  }

  void SetOnReady(std::function<void()> on_ready) override {
    // on_ready may drop this Generation.
    const std::shared_ptr<TokenStream> stream = stream_;
    stream->SetOnReady(std::move(on_ready));
  }

  std::optional<TokenEvent> TryNext() override { return stream_->TryNext(); }

 private:
  const RequestKey key_;
  const std::shared_ptr<TokenStream> stream_;     // owners: this and the engine
  const std::shared_ptr<CommandQueue> commands_;  // owners: the engine and all Generations
};

class ThreadedEngine final : public Engine {
 public:
  ThreadedEngine(const EngineOptions& options, std::unique_ptr<StepExecutor> executor,
                 const Clock* clock, MetricsRegistry* metrics);
  ~ThreadedEngine() override;

  absl::StatusOr<std::unique_ptr<Generation>> Submit(Request request) override;
  absl::StatusOr<std::vector<std::unique_ptr<Generation>>> SubmitAll(
      std::vector<Request> requests) override;
  void BeginDrain() override { load_.BeginDrain(); }
  bool WaitIdle(Duration timeout) override { return load_.WaitIdle(timeout); }
  void AbortAll() override;
  EngineStats stats() const override;

 private:
  // A request that the scheduler has.
  struct Live {
    std::shared_ptr<TokenStream> stream;  // owners: this and the Generation
    RequestRecord record;
  };

  // All engine thread.
  void Run();
  void TakeCommands(Duration wait);
  void Step();
  void Deliver(TimePoint now, std::vector<SchedulerEvent> events);
  void Log(TimePoint now);

  const Clock* const clock_;
  const std::unique_ptr<StepExecutor> executor_;
  const std::shared_ptr<CommandQueue> commands_;  // owners: this and all Generations
  EngineLoad load_;
  std::atomic<bool> abort_{false};
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> steps_{0};
  std::atomic<Duration::rep> last_round_ns_;
  // Keys ascend in the order of the queue.
  std::mutex submit_mutex_;
  std::uint64_t next_key_ = 0;  // protected by submit_mutex_

  // Engine thread's own.
  Scheduler scheduler_;
  EngineMetrics metrics_;
  ThroughputLog log_;
  std::unordered_map<RequestKey, Live> live_;

  std::thread thread_;  // last: it uses all of the above
};

ThreadedEngine::ThreadedEngine(const EngineOptions& options, std::unique_ptr<StepExecutor> executor,
                               const Clock* clock, MetricsRegistry* metrics)
    : clock_(clock),
      executor_(std::move(executor)),
      commands_(std::make_shared<CommandQueue>(CommandsMax(options.scheduler))),
      load_(options.scheduler),
      last_round_ns_(clock->Now().time_since_epoch().count()),
      scheduler_(options.scheduler),
      metrics_(metrics, options.model_name, options.scheduler.max_model_len),
      log_(clock->Now()),
      thread_([this] { Run(); }) {}

ThreadedEngine::~ThreadedEngine() {
  load_.BeginDrain();
  stop_ = true;
  commands_->Close();
  thread_.join();
}

absl::StatusOr<std::unique_ptr<Generation>> ThreadedEngine::Submit(Request request) {
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  ASSIGN_OR_RETURN(std::vector<std::unique_ptr<Generation>> generations,
                   SubmitAll(std::move(requests)));
  return std::move(generations[0]);
}

absl::StatusOr<std::vector<std::unique_ptr<Generation>>> ThreadedEngine::SubmitAll(
    std::vector<Request> requests) {
  const int count = static_cast<int>(requests.size());
  std::int64_t tokens = 0;
  for (const Request& request : requests) {
    tokens += static_cast<std::int64_t>(request.prompt().size());
  }
  RETURN_IF_ERROR(load_.Enter(count, tokens));

  const TimePoint arrival = clock_->Now();
  std::vector<std::unique_ptr<Generation>> generations;
  Command command;
  std::lock_guard lock(submit_mutex_);
  for (Request& request : requests) {
    const RequestKey key(next_key_++);
    auto stream = std::make_shared<TokenStream>(request.n());
    generations.push_back(std::make_unique<EngineGeneration>(key, stream, commands_));
    command.submissions.push_back({.key = key,
                                   .request = std::move(request),
                                   .stream = std::move(stream),
                                   .arrival = arrival});
  }
  if (!commands_->TryPush(std::move(command))) {
    load_.TurnBack(count, tokens);
    return WithErrorCode(absl::UnavailableError("the engine has stopped"), "server_draining");
  }
  return generations;
}

void ThreadedEngine::AbortAll() {
  abort_ = true;
  commands_->Wake();
}

EngineStats ThreadedEngine::stats() const {
  const LoadSnapshot load = load_.snapshot();
  const TimePoint last_round{Duration(last_round_ns_.load())};
  return {.running_sequences = load.scheduler.running_sequences,
          .waiting_requests = load.waiting_requests,
          .waiting_tokens = load.waiting_tokens,
          .blocks_total = load.scheduler.blocks_total,
          .blocks_used = load.scheduler.blocks_used,
          .steps = steps_.load(),
          .has_work = load.has_work,
          .since_last_step = clock_->Now() - last_round};
}

void ThreadedEngine::Run() {
  load_.Update(0, 0, scheduler_.stats());
  for (;;) {
    last_round_ns_ = clock_->Now().time_since_epoch().count();
    // Read before the queue, so that what was submitted before AbortAll is aborted by it.
    const bool stop = stop_;
    const bool abort = abort_.exchange(false) || stop;
    TakeCommands(abort || scheduler_.HasWork() ? Duration::zero() : kIdleRound);
    if (abort) {
      std::vector<SchedulerEvent> events;
      scheduler_.AbortAll(&events);
      Deliver(clock_->Now(), std::move(events));
      load_.Update(0, 0, scheduler_.stats());
    }
    if (stop) return;
    if (scheduler_.HasWork()) Step();
    metrics_.OnStats(scheduler_.stats());
    Log(clock_->Now());
  }
}

void ThreadedEngine::TakeCommands(Duration wait) {
  int requests = 0;
  std::int64_t tokens = 0;
  for (Command& command : commands_->PopAll(wait)) {
    for (Submission& submission : command.submissions) {
      ++requests;
      tokens += static_cast<std::int64_t>(submission.request.prompt().size());
      metrics_.OnSubmit(submission.request);
      live_.emplace(submission.key, Live{.stream = std::move(submission.stream),
                                         .record = {submission.request, submission.arrival}});
      scheduler_.Add(submission.key, std::move(submission.request), submission.arrival);
    }
    if (!command.cancel.has_value()) continue;
    const auto it = live_.find(*command.cancel);
    if (it == live_.end()) continue;  // it ended before
    scheduler_.Cancel(it->first);
    metrics_.OnCancel(clock_->Now(), &it->second.record);
    live_.erase(it);
  }
  load_.Update(requests, tokens, scheduler_.stats());
}

void ThreadedEngine::Step() {
  std::vector<SchedulerEvent> events;
  const TimePoint now = clock_->Now();
  const std::optional<StepPlan> plan = scheduler_.Plan(now, &events);
  Deliver(now, std::move(events));
  load_.Update(0, 0, scheduler_.stats());  // whom it admitted waits no longer
  if (!plan.has_value()) return;

  StepOutput output = executor_->Execute(*plan);
  for (const SliceFailure& failure : output.failures) {
    LOG_ERROR("a request ends because a step could not compute it: {}", failure.message);
  }
  events.clear();
  scheduler_.Commit(*plan, std::move(output), &events);
  metrics_.OnStep(*plan);
  Deliver(clock_->Now(), std::move(events));
  ++steps_;
  load_.Update(0, 0, scheduler_.stats());
}

void ThreadedEngine::Deliver(TimePoint now, std::vector<SchedulerEvent> events) {
  for (SchedulerEvent& event : events) {
    const auto it = live_.find(event.request);
    CHECK(it != live_.end());
    Live& live = it->second;
    metrics_.OnEvent(event, now, &live.record);
    live.stream->Push(std::move(event.event));
    if (live.record.choices_left == 0) live_.erase(it);
  }
}

void ThreadedEngine::Log(TimePoint now) {
  const std::optional<std::string> line =
      log_.Tick(now, metrics_.chunk_tokens(), metrics_.generated_tokens(), scheduler_.stats());
  if (!line.has_value()) return;
  const std::string note = executor_->TakeLogNote();
  LOG_INFO("{}{}{}", *line, note.empty() ? "" : ", ", note);
}

}  // namespace

std::unique_ptr<Engine> Engine::Create(const EngineOptions& options,
                                       std::unique_ptr<StepExecutor> executor, const Clock* clock,
                                       MetricsRegistry* metrics) {
  return std::make_unique<ThreadedEngine>(options, std::move(executor), clock, metrics);
}

}  // namespace engram
