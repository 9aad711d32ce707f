// SPDX-License-Identifier: Apache-2.0
// The gRPC backend against a service that plays a script.
#include "tools/bench/serve/grpc_backend.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cmath>
#include <chrono>
#include <mutex>
#include <thread>

#include "gtest/gtest.h"
#include "tools/bench/serve/driver.h"
#include "tools/bench/serve/metrics.h"

namespace engram::bench {
namespace {

constexpr int kTokens = 5;

struct GrpcScript {
  int first_ms = 0;
  int gap_ms = 0;
  int tokens = kTokens;
  int usage_tokens = kTokens;
  bool finish = true;
  bool usage = true;
  std::string second_id = "";  // "": the first one's
  grpc::Status status = {};
  std::string pushback_ms = "";  // "": not said
};

class FakeService final : public v1::GenerationService::Service {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit FakeService(GrpcScript script) : script_(std::move(script)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeService() override { server_->Shutdown(); }

  int port() const { return port_; }
  std::vector<std::vector<Time>> sent() {
    const std::lock_guard lock(mutex_);
    return sent_;
  }

  grpc::Status GenerateStream(grpc::ServerContext* context, const v1::GenerateRequest* request,
                              grpc::ServerWriter<v1::GenerateStreamResponse>* writer) override {
    std::vector<Time> times{std::chrono::steady_clock::now()};
    if (!script_.pushback_ms.empty()) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms", script_.pushback_ms);
    }
    for (int i = 0; i < script_.tokens; ++i) {
      std::this_thread::sleep_for(
          std::chrono::milliseconds(i == 0 ? script_.first_ms : script_.gap_ms));
      v1::GenerateStreamResponse message;
      const bool renamed = i > 0 && !script_.second_id.empty();
      message.set_request_id(renamed ? script_.second_id : request->request_id());
      v1::Choice* choice = message.add_choices();
      choice->set_text("x");
      choice->add_token_ids(i);
      if (i + 1 == script_.tokens) {
        if (script_.finish) choice->set_finish_reason(v1::FINISH_REASON_LENGTH);
        if (script_.usage) {
          message.mutable_usage()->set_prompt_tokens(request->token_ids().ids_size());
          message.mutable_usage()->set_completion_tokens(script_.usage_tokens);
        }
      }
      times.push_back(std::chrono::steady_clock::now());
      writer->Write(message);
    }
    const std::lock_guard lock(mutex_);
    sent_.push_back(std::move(times));
    return script_.status;
  }

 private:
  const GrpcScript script_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::vector<std::vector<Time>> sent_;  // guarded by mutex_; request, then each message
};

class OnePrompt final : public Dataset {
 public:
  Conversation Get(std::int64_t) const override {
    RequestSpec request;
    request.token_ids = {1, 2};
    request.output_tokens = kTokens;
    return {.turns = {request}};
  }
  std::int64_t size() const override { return 0; }
};

std::vector<RequestRecord> Drive(int port, int requests, RunClock* clock, double timeout_s = 60) {
  boost::asio::io_context io(1);
  Options options;
  options.target.grpc_channels = 1;
  options.target.request_timeout_s = timeout_s;
  options.sampling.ignore_eos = true;
  auto backend =
      GrpcBackend::Create(io, *clock, options, "127.0.0.1:" + std::to_string(port), "m");
  EXPECT_TRUE(backend.ok());
  LoadOptions load;
  load.num_prompts = requests;
  load.max_concurrency = 1;
  const OnePrompt dataset;
  Driver driver(io, *clock, **backend, dataset,
                {.load = load, .request_id_prefix = "t-", .first_index = 0, .report_every_s = 1,
                 .report = nullptr});
  driver.Run();
  return driver.TakeRecords();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return Percentile(values, 50);
}

TEST(GrpcBackendTest, MeasuresTheScriptWithinTwoMilliseconds) {
  FakeService service({.first_ms = 40, .gap_ms = 15});
  RunClock clock;
  const auto records = Drive(service.port(), 15, &clock);
  const auto sent = service.sent();
  ASSERT_EQ(records.size(), 15u);
  ASSERT_EQ(sent.size(), 15u);
  std::vector<double> first_errors, gap_errors;
  for (std::size_t i = 0; i < records.size(); ++i) {
    ASSERT_TRUE(records[i].ok()) << records[i].error;
    EXPECT_EQ(records[i].prompt_tokens, 2);
    const auto at = [&](std::size_t part) { return clock.Seconds(sent[i][part]); };
    EXPECT_GE(TimeToFirstToken(records[i]), 0.040);
    first_errors.push_back(TimeToFirstToken(records[i]) - (at(1) - at(0)));
    const std::vector<double> gaps = InterTokenLatencies(records[i]);
    ASSERT_EQ(gaps.size() + 2, sent[i].size());
    for (std::size_t k = 0; k < gaps.size(); ++k) {
      gap_errors.push_back(gaps[k] - (at(k + 2) - at(k + 1)));
    }
  }
  EXPECT_LT(std::abs(Median(first_errors)), 0.002);
  EXPECT_LT(std::abs(Median(gap_errors)), 0.002);
}

std::string KindOf(const GrpcScript& script, double timeout_s = 60) {
  FakeService service(script);
  RunClock clock;
  return Drive(service.port(), 1, &clock, timeout_s).at(0).error_kind;
}

TEST(GrpcBackendTest, FailuresHaveKinds) {
  EXPECT_EQ(KindOf({}), "");
  EXPECT_EQ(KindOf({.tokens = 3, .finish = false, .usage = false}), "lost_stream");
  EXPECT_EQ(KindOf({.usage = false}), "missing_usage");
  EXPECT_EQ(KindOf({.usage_tokens = 4}), "usage_mismatch");
  EXPECT_EQ(KindOf({.tokens = 3, .usage_tokens = 3}), "short_stream");
  EXPECT_EQ(KindOf({.second_id = "other"}), "id_changed");
  EXPECT_EQ(KindOf({.tokens = 0, .status = {grpc::StatusCode::RESOURCE_EXHAUSTED, "full"}}),
            "grpc_RESOURCE_EXHAUSTED");
  EXPECT_EQ(KindOf({.first_ms = 400}, 0.1), "timeout");
}

TEST(GrpcBackendTest, ReadsHowLongARefusalAsksToWait) {
  const auto retry_after = [](const std::string& pushback_ms) {
    FakeService service({.tokens = 0, .status = {grpc::StatusCode::RESOURCE_EXHAUSTED, "full"},
                         .pushback_ms = pushback_ms});
    RunClock clock;
    return Drive(service.port(), 1, &clock).at(0).retry_after_s;
  };
  EXPECT_EQ(retry_after("250"), 0.25);
  EXPECT_EQ(retry_after(""), std::nullopt);
  EXPECT_EQ(retry_after("-1"), std::nullopt);
}

TEST(GrpcBackendTest, NobodyListens) {
  RunClock clock;
  EXPECT_EQ(Drive(1, 1, &clock).at(0).error_kind, "grpc_UNAVAILABLE");
}

TEST(GrpcBackendTest, ExtraBodyMustFitTheRequest) {
  boost::asio::io_context io(1);
  RunClock clock;
  Options options;
  options.sampling.extra_body = {{"no_such_field", 1}};
  EXPECT_FALSE(GrpcBackend::Create(io, clock, options, "127.0.0.1:1", "m").ok());
  options.sampling.extra_body = {{"seed", 5}, {"engram", {{"enabled", false}}}};
  EXPECT_TRUE(GrpcBackend::Create(io, clock, options, "127.0.0.1:1", "m").ok());
}

}  // namespace
}  // namespace engram::bench
