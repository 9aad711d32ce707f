// SPDX-License-Identifier: Apache-2.0
// An engine whose answers a test writes by hand, event by event.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace engram::testing_support {

// One submitted request, seen from the engine's side. Thread-safe.
class FakeStream {
 public:
  explicit FakeStream(Request request) : request_(std::move(request)) {}
  const Request& request() const { return request_; }

  void Emit(TokenEvent event) {
    std::function<void()> on_ready;
    {
      std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
      if (std::exchange(empty_told_, false)) on_ready = on_ready_;
    }
    if (on_ready) on_ready();
  }

  // A token of choice 0.
  void EmitToken(std::int32_t token) {
    TokenEvent event;
    event.prompt = std::make_shared<PromptResult>();
    event.token = TokenResult{};
    event.token->token = token;
    Emit(std::move(event));
  }

  void EmitEnd(FinishReason reason) {
    TokenEvent event;
    event.finish = reason;
    Emit(std::move(event));
  }

  // Whether the handle has been dropped; waits a while for it.
  bool WaitDropped() const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [this] { return dropped_; });
  }
  bool dropped() const {
    std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  friend class FakeGeneration;

  const Request request_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // State below is protected by mutex_.
  std::deque<TokenEvent> events_;
  std::function<void()> on_ready_;
  bool empty_told_ = true;
  bool dropped_ = false;
};

class FakeGeneration final : public Generation {
 public:
  explicit FakeGeneration(std::shared_ptr<FakeStream> stream) : stream_(std::move(stream)) {}
  ~FakeGeneration() override {
    {
      std::lock_guard lock(stream_->mutex_);
      stream_->dropped_ = true;
      stream_->on_ready_ = nullptr;
    }
    stream_->changed_.notify_all();
  }

  void SetOnReady(std::function<void()> on_ready) override {
    bool ready = false;
    {
      std::lock_guard lock(stream_->mutex_);
      stream_->on_ready_ = on_ready;
      ready = !stream_->events_.empty();
      if (ready) stream_->empty_told_ = false;
    }
    if (ready) on_ready();
  }

  std::optional<TokenEvent> TryNext() override {
    std::lock_guard lock(stream_->mutex_);
    if (stream_->events_.empty()) {
      stream_->empty_told_ = true;
      return std::nullopt;
    }
    TokenEvent event = std::move(stream_->events_.front());
    stream_->events_.pop_front();
    return event;
  }

 private:
  const std::shared_ptr<FakeStream> stream_;
};

// Thread-safe.
class FakeEngine final : public Engine {
 public:
  absl::StatusOr<std::unique_ptr<Generation>> Submit(Request request) override {
    std::vector<Request> requests;
    requests.push_back(std::move(request));
    auto generations = SubmitAll(std::move(requests));
    if (!generations.ok()) return generations.status();
    return std::move(generations->front());
  }

  absl::StatusOr<std::vector<std::unique_ptr<Generation>>> SubmitAll(
      std::vector<Request> requests) override {
    std::lock_guard lock(mutex_);
    if (!refusal_.ok()) return refusal_;
    std::vector<std::unique_ptr<Generation>> generations;
    for (Request& request : requests) {
      streams_.push_back(std::make_shared<FakeStream>(std::move(request)));
      generations.push_back(std::make_unique<FakeGeneration>(streams_.back()));
    }
    changed_.notify_all();
    return generations;
  }

  void BeginDrain() override {}
  bool WaitIdle(Duration) override { return true; }
  void AbortAll() override {}
  EngineStats stats() const override {
    EngineStats stats;
    stats.running_sequences = 3;
    stats.waiting_requests = 2;
    stats.blocks_total = 100;
    stats.blocks_used = 7;
    return stats;
  }

  // Every Submit from now on gives this.
  void Refuse(absl::Status status) {
    std::lock_guard lock(mutex_);
    refusal_ = std::move(status);
  }

  // The `index`-th request that was submitted; waits for it. Null if it does not come.
  std::shared_ptr<FakeStream> WaitForStream(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return streams_.size() > index; });
    return streams_.size() > index ? streams_[index] : nullptr;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  // State below is protected by mutex_.
  std::vector<std::shared_ptr<FakeStream>> streams_;
  absl::Status refusal_;
};

}  // namespace engram::testing_support
