// SPDX-License-Identifier: Apache-2.0
// An engine that a test plays: it sees the requests that come, says what happens to them, and
// learns when they are dropped.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/engine.h"

namespace engram::testing_support {

// How long a test waits for what must come; never reached unless the test fails.
inline constexpr std::chrono::seconds kPatience{10};

// A request's life, shared by the test and the Generation that the code under test holds.
// Thread-safe.
class FakeLife {
 public:
  explicit FakeLife(Request request) : request_(std::move(request)) {}

  const Request& request() const { return request_; }
  // Whether the Generation has been destroyed.
  bool dropped() const {
    std::lock_guard lock(mutex_);
    return dropped_;
  }
  // As dropped, and waits for it.
  bool WaitDropped() const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return dropped_; });
  }
  void Push(TokenEvent event) {
    std::unique_lock lock(mutex_);
    events_.push_back(std::move(event));
    if (!waiting_ || !on_ready_) return;
    waiting_ = false;
    const auto on_ready = on_ready_;
    lock.unlock();
    on_ready();
  }
  void PushToken(std::int32_t token, std::optional<FinishReason> finish = std::nullopt,
                 int choice = 0) {
    TokenEvent event;
    event.choice = choice;
    event.token.emplace().token = token;
    event.finish = finish;
    Push(std::move(event));
  }
  void Fail(const std::string& error, int choice = 0) {
    TokenEvent event;
    event.choice = choice;
    event.finish = FinishReason::kFailed;
    event.error = error;
    Push(std::move(event));
  }
  void Finish(FinishReason finish, int choice = 0) {
    TokenEvent event;
    event.choice = choice;
    event.finish = finish;
    Push(std::move(event));
  }

 private:
  friend class FakeGeneration;
  const Request request_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // State below is protected by mutex_.
  std::deque<TokenEvent> events_;
  std::function<void()> on_ready_;
  bool waiting_ = true;  // TryNext found nothing since the last call of on_ready
  bool dropped_ = false;
};

class FakeGeneration final : public Generation {
 public:
  explicit FakeGeneration(std::shared_ptr<FakeLife> life) : life_(std::move(life)) {}
  ~FakeGeneration() override {
    std::function<void()> on_ready;  // destroyed outside the lock
    std::lock_guard lock(life_->mutex_);
    life_->dropped_ = true;
    on_ready.swap(life_->on_ready_);
    life_->changed_.notify_all();
  }
  void SetOnReady(std::function<void()> on_ready) override {
    bool now = false;
    {
      std::lock_guard lock(life_->mutex_);
      life_->on_ready_ = on_ready;
      now = !life_->events_.empty();
      if (now) life_->waiting_ = false;
    }
    if (now) on_ready();
  }
  std::optional<TokenEvent> TryNext() override {
    std::lock_guard lock(life_->mutex_);
    if (life_->events_.empty()) {
      life_->waiting_ = true;
      return std::nullopt;
    }
    TokenEvent event = std::move(life_->events_.front());
    life_->events_.pop_front();
    return event;
  }

 private:
  const std::shared_ptr<FakeLife> life_;
};

// Thread-safe.
class FakeEngine final : public Engine {
 public:
  // Played at once for every request that comes.
  using Script = std::function<void(FakeLife*)>;

  absl::StatusOr<std::unique_ptr<Generation>> Submit(Request request) override {
    std::vector<Request> one;
    one.push_back(std::move(request));
    auto all = SubmitAll(std::move(one));
    if (!all.ok()) return all.status();
    return std::move((*all)[0]);
  }
  absl::StatusOr<std::vector<std::unique_ptr<Generation>>> SubmitAll(
      std::vector<Request> requests) override {
    std::lock_guard lock(mutex_);
    if (!refusal_.ok()) return refusal_;
    std::vector<std::unique_ptr<Generation>> generations;
    for (Request& request : requests) {
      auto life = std::make_shared<FakeLife>(std::move(request));
      generations.push_back(std::make_unique<FakeGeneration>(life));
      lives_.push_back(life);
      if (script_) script_(life.get());
    }
    changed_.notify_all();
    return generations;
  }
  void BeginDrain() override {}
  bool WaitIdle(Duration) override { return true; }
  void AbortAll() override {}
  EngineStats stats() const override {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void Refuse(absl::Status status) {
    std::lock_guard lock(mutex_);
    refusal_ = std::move(status);
  }
  void SetScript(Script script) {
    std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }
  void SetStats(const EngineStats& stats) {
    std::lock_guard lock(mutex_);
    stats_ = stats;
  }
  std::size_t request_count() const {
    std::lock_guard lock(mutex_);
    return lives_.size();
  }
  // The i-th request that came.
  std::shared_ptr<FakeLife> life(std::size_t i) const {
    std::lock_guard lock(mutex_);
    return i < lives_.size() ? lives_[i] : nullptr;
  }
  // As life, and waits for it.
  std::shared_ptr<FakeLife> WaitForLife(std::size_t i) const {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return i < lives_.size(); });
    return i < lives_.size() ? lives_[i] : nullptr;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // State below is protected by mutex_.
  std::vector<std::shared_ptr<FakeLife>> lives_;
  absl::Status refusal_;
  Script script_;
  EngineStats stats_;
};

}  // namespace engram::testing_support
