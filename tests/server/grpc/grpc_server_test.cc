// SPDX-License-Identifier: Apache-2.0
// The whole gRPC floor over a real socket: real frontend and tokenizer, an engine written by hand.
#include "server/grpc/grpc_server.h"

#include <limits>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/field_error.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/engram/v1/error_details.pb.h"
#include "proto/engram/v1/generation.grpc.pb.h"
#include "server/text/chat_template.h"
#include "server/text/tokenizer.h"
#include "tests/server/fake_engine.h"

namespace engram {
namespace {

namespace pb = ::engram::v1;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing_support::FakeEngine;
using testing_support::FakeLife;

constexpr char kModelFolder[] = "models/engram-demo";

FrontendOptions MakeFrontendOptions() {
  FrontendOptions options;
  options.limits.max_model_len = 1024;
  options.limits.vocab_size = 8192;
  options.limits.cache_tokens = 4096;
  options.limits.eos_token_ids = {1};
  options.limits.has_engram = true;
  options.model_name = "demo";
  options.model_aliases = {"demo-alias"};
  return options;
}

// Tokenizer and template of the demo model, loaded once: immutable.
struct Text {
  Text() : tokenizer(*Tokenizer::Load(kModelFolder)) {
    chat = *ChatTemplate::Recognise(tokenizer->chat_template(), *tokenizer);
  }
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ChatTemplate> chat;
};

const Text& SharedText() {
  static const Text* const text = new Text();
  return *text;
}

google::rpc::BadRequest BadRequestOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  google::rpc::BadRequest bad_request;
  for (const auto& detail : details.details()) {
    if (detail.UnpackTo(&bad_request)) break;
  }
  return bad_request;
}

std::string FieldIn(const grpc::Status& status) {
  const google::rpc::BadRequest bad_request = BadRequestOf(status);
  return bad_request.field_violations_size() == 1 ? bad_request.field_violations(0).field() : "";
}

// A call that hangs is a failure and not a hang.
class TestContext : public grpc::ClientContext {
 public:
  TestContext() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20)); }
};

class GrpcServerTest : public testing::Test {
 protected:
  void StartServer(const std::string& keys = "") {
    ApiKeys api_keys;
    if (!keys.empty()) api_keys = *ApiKeys::Parse(keys);
    GrpcServerOptions options;
    options.port = 0;
    options.version = "engram-server test";
    auto started = GrpcServer::Start(options, std::move(api_keys), &clock_, &metrics_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    stub_ = pb::GenerationService::NewStub(grpc::CreateChannel(
        absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials()));
  }
  void Serve() { server_->Serve(&frontend_); }

  void SetUp() override {
    StartServer();
    Serve();
  }

  std::vector<std::int32_t> Ids(const std::string& text) {
    return *SharedText().tokenizer->Encode(text, SpecialTokens::kParse);
  }
  void PushText(FakeLife* stream, const std::string& text) {
    for (const std::int32_t id : Ids(text)) stream->PushToken(id);
  }

  SteadyClock clock_;
  MetricsRegistry metrics_;
  FakeEngine engine_;
  Frontend frontend_{MakeFrontendOptions(), SharedText().tokenizer.get(), SharedText().chat.get(),
                     &engine_, &clock_};
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<pb::GenerationService::Stub> stub_;
};

TEST_F(GrpcServerTest, GenerateCollectsTheAnswer) {
  std::thread engine([&] {
    const auto stream = engine_.WaitForLife(0);
    PushText(stream.get(), "The capital of France is Paris.");
    stream->Finish(FinishReason::kStop);
  });
  TestContext context;
  pb::GenerateRequest request;
  request.set_prompt("What?");
  request.set_temperature(0);
  request.set_request_id("my-id");
  request.set_return_prompt_token_ids(true);
  pb::GenerateResponse response;
  const grpc::Status status = stub_->Generate(&context, request, &response);
  engine.join();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.request_id(), "my-id");
  EXPECT_EQ(response.model(), "demo");
  ASSERT_EQ(response.choices_size(), 1);
  EXPECT_EQ(response.choices(0).text(), "The capital of France is Paris.");
  EXPECT_EQ(response.choices(0).finish_reason(), pb::FINISH_REASON_STOP);
  EXPECT_EQ(response.usage().completion_tokens(), response.choices(0).token_ids_size());
  // BOS, then the text.
  std::vector<std::int32_t> prompt = Ids("What?");
  prompt.insert(prompt.begin(), 0);
  EXPECT_THAT(response.prompt().token_ids(), testing::ElementsAreArray(prompt));
  EXPECT_EQ(response.usage().prompt_tokens(), static_cast<int>(prompt.size()));
  EXPECT_EQ(engine_.WaitForLife(0)->request().sampling().temperature, 0);
  EXPECT_EQ(engine_.WaitForLife(0)->request().id(), "my-id");
}

TEST_F(GrpcServerTest, GenerateStreamSendsTextAsItComes) {
  TestContext context;
  pb::GenerateRequest request;
  auto* message = request.mutable_chat()->add_messages();
  message->set_role("user");
  message->set_content("Hello");
  request.set_return_prompt_token_ids(true);
  const auto reader = stub_->GenerateStream(&context, request);
  const auto stream = engine_.WaitForLife(0);
  ASSERT_NE(stream, nullptr);

  pb::GenerateStreamResponse response;
  PushText(stream.get(), "One");
  ASSERT_TRUE(reader->Read(&response));  // before the engine says more
  EXPECT_THAT(response.request_id(), HasSubstr("grpc-"));
  EXPECT_GT(response.prompt().token_ids_size(), 2);
  EXPECT_FALSE(response.has_usage());
  std::string text;
  int tokens = 0;
  const auto add = [&] {
    for (const pb::Choice& choice : response.choices()) {
      text += choice.text();
      tokens += choice.token_ids_size();
    }
  };
  add();
  PushText(stream.get(), " two three");
  stream->Finish(FinishReason::kLength);
  pb::GenerateStreamResponse last;
  while (reader->Read(&response)) {
    EXPECT_FALSE(response.has_prompt());
    add();
    last = response;
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(text, "One two three");
  ASSERT_EQ(last.choices_size(), 1);
  EXPECT_EQ(last.choices(0).finish_reason(), pb::FINISH_REASON_LENGTH);
  EXPECT_EQ(last.usage().completion_tokens(), tokens);
  EXPECT_TRUE(stream->WaitDropped());
}

TEST_F(GrpcServerTest, CancelDropsTheRequest) {
  pb::GenerateRequest request;
  request.set_prompt("x");
  {  // streaming, running
    TestContext context;
    const auto reader = stub_->GenerateStream(&context, request);
    const auto stream = engine_.WaitForLife(0);
    PushText(stream.get(), "a");
    pb::GenerateStreamResponse response;
    ASSERT_TRUE(reader->Read(&response));
    EXPECT_FALSE(stream->dropped());
    context.TryCancel();
    EXPECT_TRUE(stream->WaitDropped());
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  {  // unary, still queued: the engine has said nothing
    TestContext context;
    std::thread canceller([&] {
      engine_.WaitForLife(1);
      context.TryCancel();
    });
    pb::GenerateResponse response;
    EXPECT_EQ(stub_->Generate(&context, request, &response).error_code(),
              grpc::StatusCode::CANCELLED);
    canceller.join();
    EXPECT_TRUE(engine_.WaitForLife(1)->WaitDropped());
  }
}

TEST_F(GrpcServerTest, DeadlineDropsTheRequest) {
  TestContext context;
  context.set_deadline(std::chrono::system_clock::now() + milliseconds(100));
  pb::GenerateRequest request;
  request.set_prompt("x");
  pb::GenerateResponse response;
  EXPECT_EQ(stub_->Generate(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(engine_.WaitForLife(0)->WaitDropped());
}

TEST_F(GrpcServerTest, TimeLimitIsAnEndAndNoError) {
  TestContext context;
  pb::GenerateRequest request;
  request.set_prompt("x");
  request.set_time_limit_ms(5000);
  std::thread engine([&] {
    const auto stream = engine_.WaitForLife(0);
    EXPECT_TRUE(stream->request().deadline().has_value());
    PushText(stream.get(), "half");
    stream->Finish(FinishReason::kDeadline);
  });
  pb::GenerateResponse response;
  ASSERT_TRUE(stub_->Generate(&context, request, &response).ok());
  engine.join();
  EXPECT_EQ(response.choices(0).text(), "half");
  EXPECT_EQ(response.choices(0).finish_reason(), pb::FINISH_REASON_TIME_LIMIT);
}

TEST_F(GrpcServerTest, BadRequestsNameTheField) {
  const auto field_of = [&](const pb::GenerateRequest& request) {
    TestContext context;
    const auto reader = stub_->GenerateStream(&context, request);
    pb::GenerateStreamResponse response;
    EXPECT_FALSE(reader->Read(&response));  // known before the first message
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    return FieldIn(status);
  };
  pb::GenerateRequest request;
  EXPECT_EQ(field_of(request), "input");
  request.set_prompt("x");
  request.set_temperature(3);
  EXPECT_EQ(field_of(request), "temperature");
  request.set_temperature(std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(field_of(request), "temperature");
  request.set_temperature(1);
  request.set_max_tokens(-1);
  EXPECT_EQ(field_of(request), "max_tokens");
  request.clear_max_tokens();
  request.set_n(129);
  EXPECT_EQ(field_of(request), "n");
  request.clear_n();
  request.add_stop("");
  EXPECT_THAT(field_of(request), HasSubstr("stop"));
  request.clear_stop();
  request.set_time_limit_ms(0);
  EXPECT_EQ(field_of(request), "time_limit_ms");
  request.clear_time_limit_ms();
  request.set_request_id("new\nline");
  EXPECT_EQ(field_of(request), "request_id");
  request.clear_request_id();
  request.mutable_token_ids()->add_ids(8192);
  EXPECT_THAT(field_of(request), HasSubstr("token_ids.ids"));
  request.mutable_chat()->add_messages()->set_role("user");
  EXPECT_THAT(field_of(request), HasSubstr("chat.messages"));
  request.mutable_chat()->mutable_messages(0)->set_content("x");
  request.mutable_chat()->set_continue_final_message(true);
  EXPECT_EQ(field_of(request), "chat.continue_final_message");
}

TEST_F(GrpcServerTest, UnknownModel) {
  TestContext context;
  pb::GenerateRequest request;
  request.set_model("other");
  request.set_prompt("x");
  pb::GenerateResponse response;
  const grpc::Status status = stub_->Generate(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("other"));
}

TEST_F(GrpcServerTest, FullQueueSaysWhenToComeAgain) {
  engine_.Refuse(WithErrorCode(absl::ResourceExhaustedError("the queue is full"), "queue_full"));
  TestContext context;
  pb::GenerateRequest request;
  request.set_prompt("x");
  pb::GenerateResponse response;
  const grpc::Status status = stub_->Generate(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_EQ(std::string(pushback->second.data(), pushback->second.size()), "1000");
}

TEST_F(GrpcServerTest, KeysAreAskedForOnEveryMethod) {
  StartServer("sk-one\n");
  Serve();
  const auto call = [&](const char* authorization) {
    TestContext context;
    if (*authorization != '\0') context.AddMetadata("authorization", authorization);
    pb::ListModelsResponse response;
    return stub_->ListModels(&context, {}, &response).error_code();
  };
  EXPECT_EQ(call(""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(call("Bearer sk-two"), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(call("Bearer sk-one"), grpc::StatusCode::OK);

  pb::GenerateRequest request;
  request.set_prompt("x");
  TestContext stream_context;
  pb::GenerateStreamResponse message;
  const auto reader = stub_->GenerateStream(&stream_context, request);
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);

  TestContext info_context;
  pb::GetServerInfoResponse info;
  EXPECT_EQ(stub_->GetServerInfo(&info_context, {}, &info).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(GrpcServerTest, LoadingServingDraining) {
  EngineStats stats;
  stats.blocks_total = 100;
  stats.blocks_used = 7;
  engine_.SetStats(stats);
  StartServer();
  const auto state = [&] {
    TestContext context;
    pb::GetServerInfoResponse info;
    EXPECT_TRUE(stub_->GetServerInfo(&context, {}, &info).ok());
    EXPECT_EQ(info.version(), "engram-server test");
    EXPECT_EQ(info.cache_blocks_used(), info.state() == pb::SERVER_STATE_LOADING ? 0 : 7);
    return info.state();
  };
  EXPECT_EQ(state(), pb::SERVER_STATE_LOADING);
  TestContext context;
  pb::ListModelsResponse models;
  EXPECT_EQ(stub_->ListModels(&context, {}, &models).error_code(), grpc::StatusCode::UNAVAILABLE);
  Serve();
  EXPECT_EQ(state(), pb::SERVER_STATE_SERVING);
  server_->BeginDrain();
  EXPECT_EQ(state(), pb::SERVER_STATE_DRAINING);
}

TEST_F(GrpcServerTest, TokenizeAndDetokenize) {
  TestContext context;
  pb::TokenizeRequest request;
  request.set_prompt("Hello world");
  request.set_add_special_tokens(false);
  pb::TokenizeResponse tokens;
  ASSERT_TRUE(stub_->Tokenize(&context, request, &tokens).ok());
  EXPECT_THAT(tokens.token_ids(), testing::ElementsAreArray(Ids("Hello world")));
  EXPECT_EQ(tokens.max_model_len(), 1024);

  TestContext back_context;
  pb::DetokenizeRequest back;
  *back.mutable_token_ids() = tokens.token_ids();
  pb::DetokenizeResponse text;
  ASSERT_TRUE(stub_->Detokenize(&back_context, back, &text).ok());
  EXPECT_EQ(text.text(), "Hello world");

  TestContext bad_context;
  back.add_token_ids(-5);
  const grpc::Status status = stub_->Detokenize(&bad_context, back, &text);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldIn(status), "token_ids");
}

TEST_F(GrpcServerTest, ListModelsListsAllNames) {
  TestContext context;
  pb::ListModelsResponse models;
  ASSERT_TRUE(stub_->ListModels(&context, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 2);
  EXPECT_EQ(models.models(0).name(), "demo");
  EXPECT_EQ(models.models(1).name(), "demo-alias");
  EXPECT_EQ(models.models(1).max_model_len(), 1024);
  EXPECT_TRUE(models.models(1).has_engram());
}

TEST_F(GrpcServerTest, AHundredStreamsNeedNoHundredThreads) {
  constexpr int kStreams = 100;
  pb::GenerateRequest request;
  request.set_prompt("x");
  std::vector<std::unique_ptr<TestContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<pb::GenerateStreamResponse>>> readers;
  for (int i = 0; i < kStreams; ++i) {
    contexts.push_back(std::make_unique<TestContext>());
    readers.push_back(stub_->GenerateStream(contexts.back().get(), request));
  }
  ASSERT_NE(engine_.WaitForLife(kStreams - 1), nullptr);  // all are open at once
  for (int i = 0; i < kStreams; ++i) {
    PushText(engine_.WaitForLife(i).get(), "done");
    engine_.WaitForLife(i)->Finish(FinishReason::kStop);
  }
  for (const auto& reader : readers) {
    std::string text;
    pb::GenerateStreamResponse response;
    while (reader->Read(&response)) {
      for (const pb::Choice& choice : response.choices()) text += choice.text();
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(text, "done");
  }
}

TEST_F(GrpcServerTest, StopEndsWhatRuns) {
  TestContext context;
  pb::GenerateRequest request;
  request.set_prompt("x");
  const auto reader = stub_->GenerateStream(&context, request);
  const auto stream = engine_.WaitForLife(0);
  server_->Stop();
  pb::GenerateStreamResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_FALSE(reader->Finish().ok());
  EXPECT_TRUE(stream->dropped());
}

TEST_F(GrpcServerTest, ATakenPortIsAnError) {
  GrpcServerOptions options;
  options.port = server_->port();
  const auto second = GrpcServer::Start(options, ApiKeys(), &clock_, &metrics_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(second.status()), HasSubstr(absl::StrCat("127.0.0.1:", options.port)));
}

TEST_F(GrpcServerTest, CallsAreCounted) {
  TestContext context;
  pb::ListModelsResponse models;
  ASSERT_TRUE(stub_->ListModels(&context, {}, &models).ok());
  EXPECT_THAT(
      metrics_.RenderPrometheus(),
      HasSubstr("grpc_server_handled_total{grpc_method=\"ListModels\",grpc_code=\"OK\"} 1"));
}

}  // namespace
}  // namespace engram
