// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/generate_call.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <random>
#include <thread>

#include "gtest/gtest.h"

namespace engram {
namespace {

// Deltas that a test puts in. Thread-safe on the test's side.
class ScriptedGeneration final : public TextGeneration {
 public:
  struct Script {
    std::mutex mutex;
    std::vector<TextDelta> ready;
    std::function<void()> on_ready;
    int unfinished = 1;
    bool dropped = false;

    void Put(const std::string& text, bool last) {
      TextDelta delta;
      delta.text = text;
      if (last) delta.finish = FinishReason::kStop;
      Put(std::move(delta));
    }
    void Put(TextDelta delta) {
      std::function<void()> call;
      {
        std::lock_guard lock(mutex);
        ready.push_back(std::move(delta));
        call = on_ready;
      }
      if (call) call();
    }
  };

  explicit ScriptedGeneration(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  ~ScriptedGeneration() override {
    std::lock_guard lock(script_->mutex);
    script_->dropped = true;
    script_->on_ready = nullptr;
  }

  void SetOnReady(std::function<void()> on_ready) override {
    {
      std::lock_guard lock(script_->mutex);
      script_->on_ready = on_ready;
    }
    on_ready();
  }
  std::vector<TextDelta> Poll() override {
    EXPECT_FALSE(polling_.exchange(true)) << "two tasks at once";
    std::vector<TextDelta> out;
    {
      std::lock_guard lock(script_->mutex);
      out.swap(script_->ready);
    }
    for (const TextDelta& delta : out) finished_ |= delta.finish.has_value();
    polling_ = false;
    return out;
  }
  bool finished() const override { return finished_; }
  Usage usage() const override { return {}; }
  int choices() const override { return 1; }
  const std::vector<std::int32_t>& prompt_tokens(int) const override { return tokens_; }

 private:
  const std::shared_ptr<Script> script_;
  const std::vector<std::int32_t> tokens_;
  std::atomic<bool> polling_ = false;
  bool finished_ = false;
};

// Remembers what it is given; writes end when the test says so.
class RecordingSink final : public AnswerSink {
 public:
  explicit RecordingSink(bool slow) : slow_(slow) {}

  bool Take(std::vector<TextDelta> deltas, const TextGeneration&) override {
    std::lock_guard lock(mutex_);
    EXPECT_FALSE(writing_) << "a second write in flight";
    EXPECT_FALSE(ended_);
    ++takes_;
    for (const TextDelta& delta : deltas) text_ += delta.text;
    writing_ = slow_;
    changed_.notify_all();
    return slow_;
  }
  void End(const absl::Status& status, const TextGeneration*) override {
    std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_) << "ended twice";
    ended_ = true;
    status_ = status;
    changed_.notify_all();
  }

  void WaitTakes(int count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return takes_ >= count; }));
  }
  absl::Status WaitEnd() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return ended_; }));
    return status_;
  }
  void WriteEnds(GenerateCall* call, bool ok) {
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
    }
    call->WriteDone(ok);
  }
  bool ended() {
    std::lock_guard lock(mutex_);
    return ended_;
  }
  std::string text() {
    std::lock_guard lock(mutex_);
    return text_;
  }
  int takes() {
    std::lock_guard lock(mutex_);
    return takes_;
  }

 private:
  static constexpr std::chrono::seconds kPatience{10};

  const bool slow_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // State below is protected by mutex_.
  std::string text_;
  int takes_ = 0;
  bool writing_ = false;
  bool ended_ = false;
  absl::Status status_;
};

class GenerateCallTest : public testing::Test {
 protected:
  std::shared_ptr<GenerateCall> MakeCall(RecordingSink* sink) {
    return std::make_shared<GenerateCall>(&pool_, sink, [script = script_] {
      return absl::StatusOr<std::unique_ptr<TextGeneration>>(
          std::make_unique<ScriptedGeneration>(script));
    });
  }
  bool Dropped() {
    std::lock_guard lock(script_->mutex);
    return script_->dropped;
  }

  // The call lets go of it after End has returned, on its own thread.
  bool DroppedSoon() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!Dropped() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return Dropped();
  }

  const std::shared_ptr<ScriptedGeneration::Script> script_ =
      std::make_shared<ScriptedGeneration::Script>();
  WorkerPool pool_{2};
};

TEST_F(GenerateCallTest, HandsOverEverythingAndEnds) {
  RecordingSink sink(/*slow=*/false);
  script_->Put("early ", false);
  const auto call = MakeCall(&sink);
  call->Start();
  script_->Put("one ", false);
  script_->Put("two", true);
  EXPECT_TRUE(sink.WaitEnd().ok());
  EXPECT_EQ(sink.text(), "early one two");
  EXPECT_TRUE(DroppedSoon());
}

TEST_F(GenerateCallTest, WhatCannotBeComputedIsAnInternalErrorAfterTheTextThatCould) {
  RecordingSink sink(/*slow=*/false);
  script_->Put("begun", false);
  const auto call = MakeCall(&sink);
  call->Start();
  TextDelta failed;
  failed.finish = FinishReason::kFailed;
  failed.error = "model.safetensors: cannot read";
  script_->Put(std::move(failed));
  EXPECT_EQ(sink.WaitEnd(), absl::InternalError("model.safetensors: cannot read"));
  EXPECT_EQ(sink.text(), "begun");
}

TEST_F(GenerateCallTest, ASlowReaderGetsFewerAndLargerPieces) {
  RecordingSink sink(/*slow=*/true);
  const auto call = MakeCall(&sink);
  call->Start();
  script_->Put("a", false);
  sink.WaitTakes(1);
  for (int i = 0; i < 100; ++i) script_->Put("b", i == 99);
  sink.WriteEnds(call.get(), true);
  sink.WaitTakes(2);
  EXPECT_FALSE(sink.ended());  // the last write has not gone yet
  sink.WriteEnds(call.get(), true);
  EXPECT_TRUE(sink.WaitEnd().ok());
  EXPECT_EQ(sink.takes(), 2);
  EXPECT_EQ(sink.text(), "a" + std::string(100, 'b'));
}

TEST_F(GenerateCallTest, CancelDropsTheGenerationAtOnceAndWaitsForTheWrite) {
  RecordingSink sink(/*slow=*/true);
  const auto call = MakeCall(&sink);
  call->Start();
  script_->Put("a", false);
  sink.WaitTakes(1);
  call->Cancel();
  while (!Dropped()) std::this_thread::yield();
  EXPECT_FALSE(sink.ended());
  sink.WriteEnds(call.get(), false);
  EXPECT_EQ(sink.WaitEnd().code(), absl::StatusCode::kCancelled);
}

TEST_F(GenerateCallTest, AFailedWriteIsACancel) {
  RecordingSink sink(/*slow=*/true);
  const auto call = MakeCall(&sink);
  call->Start();
  script_->Put("a", false);
  sink.WaitTakes(1);
  sink.WriteEnds(call.get(), false);
  EXPECT_EQ(sink.WaitEnd().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Dropped());
}

TEST_F(GenerateCallTest, CancelledBeforeItStartedNeverStarts) {
  RecordingSink sink(/*slow=*/false);
  bool started = false;
  WorkerPool pool(1);
  std::mutex gate;
  gate.lock();
  pool.Post([&] { std::lock_guard wait(gate); });  // holds the only thread
  const auto call = std::make_shared<GenerateCall>(
      &pool, &sink, [&]() -> absl::StatusOr<std::unique_ptr<TextGeneration>> {
        started = true;
        return absl::InternalError("started");
      });
  call->Start();
  call->Cancel();
  gate.unlock();
  EXPECT_EQ(sink.WaitEnd().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(started);
}

TEST_F(GenerateCallTest, AnErrorAtTheStartIsTheEnd) {
  RecordingSink sink(/*slow=*/false);
  const auto call = std::make_shared<GenerateCall>(
      &pool_, &sink, [] { return absl::ResourceExhaustedError("queue is full"); });
  call->Start();
  EXPECT_EQ(sink.WaitEnd().code(), absl::StatusCode::kResourceExhausted);
  call->Cancel();  // late, as gRPC may do it
}

// Everybody calls in at once: whatever the order, the sink ends exactly once and nothing is kept.
TEST_F(GenerateCallTest, SurvivesAnyOrderOfEvents) {
  std::mt19937 random(7);
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  for (int round = 0; round < 300; ++round) {
    const auto script = std::make_shared<ScriptedGeneration::Script>();
    sinks.push_back(std::make_unique<RecordingSink>(/*slow=*/true));
    RecordingSink& sink = *sinks.back();
    const auto call = std::make_shared<GenerateCall>(&pool_, &sink, [script] {
      return absl::StatusOr<std::unique_ptr<TextGeneration>>(
          std::make_unique<ScriptedGeneration>(script));
    });
    const int pieces = static_cast<int>(random() % 20);
    const bool cancel = random() % 2 == 0;
    std::thread engine([&] {
      for (int i = 0; i <= pieces; ++i) script->Put("x", i == pieces);
    });
    std::thread client([&] {
      if (cancel) call->Cancel();
    });
    call->Start();
    int written = 0;
    while (!sink.ended()) {
      if (sink.takes() > written) {
        ++written;
        sink.WriteEnds(call.get(), true);
      }
      std::this_thread::yield();
    }
    engine.join();
    client.join();
    if (cancel && !sink.WaitEnd().ok()) continue;
    EXPECT_TRUE(sink.WaitEnd().ok());
    EXPECT_EQ(sink.text(), std::string(pieces + 1, 'x'));
  }
}

}  // namespace
}  // namespace engram
