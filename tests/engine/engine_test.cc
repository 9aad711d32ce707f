// SPDX-License-Identifier: Apache-2.0
// The engine with the fake model: many threads, clients that go away, slow readers, drain, the end.
#include "engine/engine.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "base/field_error.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/scheduler_harness.h"

namespace engram::testing_support {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

// The fake model behind a gate, so that a test can hold a step open.
class GatedModel final : public StepExecutor {
 public:
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = true;
    int entered = 0;

    void Set(bool to) {
      std::lock_guard lock(mutex);
      open = to;
      changed.notify_all();
    }
    void WaitUntilEntered() {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return entered > 0; });
    }
  };

  GatedModel(const SchedulerOptions& options, Gate* gate) : model_(options), gate_(gate) {}

  StepOutput Execute(const StepPlan& plan) override {
    {
      std::unique_lock lock(gate_->mutex);
      ++gate_->entered;
      gate_->changed.notify_all();
      gate_->changed.wait(lock, [this] { return gate_->open; });
      --gate_->entered;
    }
    return model_.Execute(plan);
  }

 private:
  FakeModel model_;
  Gate* const gate_;
};

class EngineTest : public testing::Test {
 protected:
  explicit EngineTest(SchedulerOptions options = SmallOptions()) : options_(std::move(options)) {
    Start();
  }

  void Start() {
    engine_ = Engine::Create({.scheduler = options_, .model_name = "fake"},
                             std::make_unique<GatedModel>(options_, &gate_), &clock_, &metrics_);
  }

  Request Make(RequestParams params) const {
    const RequestLimits limits = {
        .max_model_len = options_.max_model_len,
        .vocab_size = kFakeVocabSize,
        .cache_tokens = std::int64_t{options_.block_count} * options_.block_size,
        .eos_token_ids = {kEos},
        .has_engram = true,
    };
    return *Request::Create(std::move(params), limits);
  }

  struct Answer {
    std::map<int, std::vector<std::int32_t>> tokens;  // by choice
    std::map<int, FinishReason> finish;
  };

  // Reads until every choice has ended.
  static Answer ReadAll(Generation* generation, int n) {
    std::atomic<int> wakes{0};
    generation->SetOnReady([&wakes] {
      ++wakes;
      wakes.notify_one();
    });
    Answer answer;
    for (int seen = 0; static_cast<int>(answer.finish.size()) < n;) {
      while (const std::optional<TokenEvent> event = generation->TryNext()) {
        if (event->token.has_value()) {
          answer.tokens[event->choice].push_back(event->token->token);
        }
        if (event->finish.has_value()) answer.finish[event->choice] = *event->finish;
      }
      if (static_cast<int>(answer.finish.size()) == n) break;
      wakes.wait(seen);
      seen = wakes.load();
    }
    return answer;
  }

  void ExpectRight(const Request& request, const Answer& answer) const {
    for (int choice = 0; choice < request.n(); ++choice) {
      const FakeAnswer expected = ExpectedAnswer(request, choice, options_.ngram_order_max);
      EXPECT_EQ(answer.tokens.at(choice), SchedulerHarness::TokensOf(expected.tokens));
      EXPECT_EQ(answer.finish.at(choice), expected.finish);
    }
  }

  double Metric(const std::string& line_start) const {
    const std::string text = metrics_.RenderPrometheus();
    const std::size_t at = text.find("\n" + line_start + " ");
    EXPECT_NE(at, std::string::npos) << line_start;
    return std::stod(text.substr(at + line_start.size() + 2));
  }

  const SchedulerOptions options_;
  SteadyClock clock_;
  MetricsRegistry metrics_;
  GatedModel::Gate gate_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, AnswersOneRequest) {
  const Request request = Make(ChoiceParams(Prompt(9), 6, 2));
  const auto generation = *engine_->Submit(request);
  ExpectRight(request, ReadAll(generation.get(), 2));
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  EXPECT_FALSE(engine_->stats().has_work);
  EXPECT_EQ(engine_->stats().blocks_used, 0);
}

TEST_F(EngineTest, ManyThreadsEachGetTheirOwnAnswer) {
  std::vector<std::thread> clients;
  for (int client = 0; client < 6; ++client) {
    clients.emplace_back([this, client] {
      for (int i = 0; i < 20; ++i) {
        RequestParams params =
            ChoiceParams(Prompt(1 + (client * 7 + i * 3) % 30, i % 3), 1 + i % 9, 1 + i % 3);
        params.seed = static_cast<std::uint64_t>(client) << 8 | static_cast<std::uint64_t>(i);
        const Request request = Make(std::move(params));
        const auto generation = *engine_->Submit(request);
        ExpectRight(request, ReadAll(generation.get(), request.n()));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  EXPECT_EQ(engine_->stats().blocks_used, 0);
}

TEST_F(EngineTest, ClientsThatGoAwayLeaveNothingBehind) {
  std::vector<std::thread> clients;
  for (int client = 0; client < 6; ++client) {
    clients.emplace_back([this, client] {
      std::mt19937 random(client);
      for (int i = 0; i < 60; ++i) {
        auto submitted =
            engine_->Submit(Make(ChoiceParams(Prompt(1 + static_cast<int>(random() % 40), i % 4),
                                              20, 1 + static_cast<int>(random() % 3))));
        if (!submitted.ok()) continue;
        std::unique_ptr<Generation> generation = *std::move(submitted);
        // Some leave at once, some from inside on_ready, some after a few tokens.
        switch (random() % 3) {
          case 0:
            break;
          case 1: {
            std::atomic<bool> called{false};
            generation->SetOnReady([&] {
              generation.reset();
              called = true;
              called.notify_one();
            });
            called.wait(false);
            break;
          }
          default:
            for (int reads = 0; reads < 50; ++reads) generation->TryNext();
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  const EngineStats stats = engine_->stats();
  EXPECT_EQ(stats.blocks_used, 0);
  EXPECT_EQ(stats.waiting_requests, 0);
  EXPECT_EQ(stats.waiting_tokens, 0);
}

// Dropped in the middle of a step: the blocks are free before the next plan.
TEST_F(EngineTest, ADroppedRequestIsGoneByTheNextStep) {
  gate_.Set(false);
  auto dropped = *engine_->Submit(Make(Params(Prompt(8, 1), 50)));
  gate_.WaitUntilEntered();
  const Request other = Make(Params(Prompt(8, 2), 3));
  const auto generation = *engine_->Submit(other);
  dropped.reset();
  gate_.Set(true);
  ExpectRight(other, ReadAll(generation.get(), 1));
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  // One step of the dropped one, then the other's three.
  EXPECT_EQ(engine_->stats().steps, 4u);
}

TEST_F(EngineTest, ASlowReaderHoldsNobodyUp) {
  const Request slow = Make(Params(Prompt(5, 1), 40));
  const auto unread = *engine_->Submit(slow);
  for (int i = 0; i < 10; ++i) {
    const Request request = Make(Params(Prompt(5, 2), 5));
    const auto generation = *engine_->Submit(request);
    ExpectRight(request, ReadAll(generation.get(), 1));
  }
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  ExpectRight(slow, ReadAll(unread.get(), 1));
}

TEST_F(EngineTest, AFullQueueIsAnAnswerAtOnce) {
  gate_.Set(false);
  std::vector<std::unique_ptr<Generation>> generations;
  generations.push_back(*engine_->Submit(Make(Params(Prompt(4), 2))));
  gate_.WaitUntilEntered();  // it runs, nothing waits
  for (int i = 0; i < options_.max_waiting_requests; ++i) {
    generations.push_back(*engine_->Submit(Make(Params(Prompt(4), 2))));
  }
  EXPECT_EQ(engine_->stats().waiting_requests, options_.max_waiting_requests);
  const auto refused = engine_->Submit(Make(Params(Prompt(4), 2)));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorCodeOf(refused.status()), "queue_full");
  gate_.Set(true);
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  EXPECT_TRUE(engine_->Submit(Make(Params(Prompt(4), 2))).ok());
}

TEST_F(EngineTest, PromptsOfOneClientRequestComeInTogetherOrNotAtAll) {
  gate_.Set(false);
  const auto running = *engine_->Submit(Make(Params(Prompt(4), 2)));
  gate_.WaitUntilEntered();
  const auto fill = *engine_->SubmitAll(
      std::vector<Request>(options_.max_waiting_requests - 1, Make(Params(Prompt(4), 2))));
  const std::vector<Request> two(2, Make(Params(Prompt(4), 2)));
  EXPECT_EQ(engine_->SubmitAll(two).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine_->stats().waiting_requests, options_.max_waiting_requests - 1);
  EXPECT_TRUE(engine_->SubmitAll({two[0]}).ok());
  gate_.Set(true);
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
}

TEST_F(EngineTest, DrainFinishesWhatThereIsAndTakesNoMore) {
  const Request request = Make(Params(Prompt(9), 20));
  const auto generation = *engine_->Submit(request);
  engine_->BeginDrain();
  const auto refused = engine_->Submit(Make(Params(Prompt(4), 2)));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorCodeOf(refused.status()), "server_draining");
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  ExpectRight(request, ReadAll(generation.get(), 1));
}

TEST_F(EngineTest, AbortAllEndsWhatRunsAndWhatWaits) {
  gate_.Set(false);
  std::vector<std::unique_ptr<Generation>> generations;
  for (int i = 0; i < 8; ++i) {
    generations.push_back(*engine_->Submit(Make(Params(Prompt(8, i), 50))));
  }
  gate_.WaitUntilEntered();
  EXPECT_FALSE(engine_->WaitIdle(milliseconds(1)));
  engine_->AbortAll();
  gate_.Set(true);
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  for (const auto& generation : generations) {
    EXPECT_EQ(ReadAll(generation.get(), 1).finish.at(0), FinishReason::kAborted);
  }
  const Request after = Make(Params(Prompt(4), 2));
  const auto generation = *engine_->Submit(after);
  ExpectRight(after, ReadAll(generation.get(), 1));
}

TEST_F(EngineTest, DestructionEndsEverythingAndHandlesOutliveIt) {
  gate_.Set(false);
  std::vector<std::unique_ptr<Generation>> generations;
  for (int i = 0; i < 8; ++i) {
    generations.push_back(*engine_->Submit(Make(ChoiceParams(Prompt(8, i), 50, 2))));
  }
  gate_.WaitUntilEntered();
  generations.pop_back();
  std::thread opener([this] { gate_.Set(true); });
  engine_.reset();
  opener.join();
  for (const auto& generation : generations) {
    // A choice that had time to give all its tokens before the destructor came may have ended well.
    Answer answer = ReadAll(generation.get(), 2);
    for (const auto& [choice, finish] : answer.finish) {
      const bool complete = answer.tokens[choice].size() == 50;
      EXPECT_EQ(finish, complete ? FinishReason::kLength : FinishReason::kAborted);
    }
  }
}

TEST_F(EngineTest, DestructionUnderLoadIsClean) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<Generation>> generations;
    for (int i = 0; i < 6; ++i) {
      generations.push_back(*engine_->Submit(Make(Params(Prompt(12, i), 40))));
    }
    std::thread reader([&generations] {
      for (int i = 0; i < 100; ++i) generations[i % 3]->TryNext();
      generations.clear();
    });
    engine_.reset();
    reader.join();
    Start();
  }
}

TEST_F(EngineTest, AStepThatHangsShowsInTheStats) {
  gate_.Set(false);
  const auto generation = *engine_->Submit(Make(Params(Prompt(4), 2)));
  gate_.WaitUntilEntered();
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_TRUE(engine_->stats().has_work);
  EXPECT_GE(engine_->stats().since_last_step, milliseconds(30));
  gate_.Set(true);
  ReadAll(generation.get(), 1);
}

TEST_F(EngineTest, DeadlinesEndRequests) {
  RequestParams params = Params(Prompt(4), 50);
  params.deadline = clock_.Now();
  const auto generation = *engine_->Submit(Make(std::move(params)));
  EXPECT_EQ(ReadAll(generation.get(), 1).finish.at(0), FinishReason::kDeadline);
}

TEST_F(EngineTest, MetricsSayWhatHappened) {
  for (int i = 0; i < 2; ++i) {
    const auto generation = *engine_->Submit(Make(ChoiceParams(Prompt(14), 5, 2)));
    ReadAll(generation.get(), 2);
    EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  }
  gate_.Set(false);
  auto dropped = *engine_->Submit(Make(Params(Prompt(4, 9), 50)));
  gate_.WaitUntilEntered();
  dropped.reset();
  gate_.Set(true);
  EXPECT_TRUE(engine_->WaitIdle(minutes(1)));
  engine_.reset();  // its last round has set the gauges

  const std::string labels = "{engine=\"0\",model_name=\"fake\"}";
  EXPECT_EQ(Metric("vllm:prompt_tokens_total" + labels), 28 + 4);
  EXPECT_EQ(Metric("vllm:prompt_tokens_cached_total" + labels), 12);
  EXPECT_EQ(Metric("vllm:prefix_cache_queries_total" + labels), 28 + 4);
  EXPECT_EQ(Metric("vllm:prefix_cache_hits_total" + labels), 12);
  EXPECT_EQ(Metric("vllm:generation_tokens_total" + labels), 20 + 1);
  EXPECT_EQ(Metric("vllm:num_preemptions_total" + labels), 0);
  EXPECT_EQ(Metric("vllm:num_requests_running" + labels), 0);
  EXPECT_EQ(Metric("vllm:num_requests_waiting" + labels), 0);
  EXPECT_EQ(Metric("vllm:kv_cache_usage_perc" + labels), 0);
  EXPECT_EQ(Metric("vllm:request_success_total"
                   "{engine=\"0\",finished_reason=\"length\",model_name=\"fake\"}"),
            4);
  EXPECT_EQ(Metric("vllm:request_success_total"
                   "{engine=\"0\",finished_reason=\"abort\",model_name=\"fake\"}"),
            1);
  EXPECT_EQ(Metric("vllm:request_params_n_sum" + labels), 5);
  EXPECT_EQ(Metric("vllm:request_params_max_tokens_sum" + labels), 60);
  EXPECT_EQ(Metric("vllm:request_prompt_tokens_sum" + labels), 32);
  EXPECT_EQ(Metric("vllm:request_generation_tokens_sum" + labels), 21);
  EXPECT_EQ(Metric("vllm:time_to_first_token_seconds_count" + labels), 5);
  EXPECT_EQ(Metric("vllm:inter_token_latency_seconds_count" + labels), 16);
  EXPECT_EQ(Metric("vllm:e2e_request_latency_seconds_count" + labels), 5);
  EXPECT_EQ(Metric("vllm:request_queue_time_seconds_count" + labels), 3);
  EXPECT_EQ(Metric("vllm:request_prefill_time_seconds_count" + labels), 3);
  EXPECT_EQ(Metric("vllm:request_decode_time_seconds_count" + labels), 5);
  // 14 + 2·2 (the fork's tail) and four decodes of two; again with 12 tokens cached; 4.
  EXPECT_EQ(Metric("vllm:iteration_tokens_total_sum" + labels), (14 + 2 + 8) + (2 + 2 + 8) + 4);
}

}  // namespace
}  // namespace engram::testing_support
