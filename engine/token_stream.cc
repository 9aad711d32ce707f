// SPDX-License-Identifier: Apache-2.0
#include "engine/token_stream.h"

#include <utility>

#include "base/check.h"

namespace engram {

void TokenStream::Push(TokenEvent event) {
  std::unique_lock lock(mutex_);
  CHECK_GT(choices_left_, 0);
  if (event.finish.has_value()) --choices_left_;
  if (abandoned_) return;
  events_.push_back(std::move(event));
  Notify(&lock);
}

void TokenStream::SetOnReady(std::function<void()> on_ready) {
  std::unique_lock lock(mutex_);
  CHECK(on_ready_ == nullptr);
  on_ready_ = std::move(on_ready);
  reader_waits_ = true;
  Notify(&lock);
}

std::optional<TokenEvent> TokenStream::TryNext() {
  std::lock_guard lock(mutex_);
  if (events_.empty()) {
    reader_waits_ = true;
    return std::nullopt;
  }
  TokenEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

bool TokenStream::Abandon() {
  std::function<void()> done;  // destroyed after the lock is gone, for who knows what it owns
  std::unique_lock lock(mutex_);
  abandoned_ = true;
  events_.clear();
  const auto self = std::this_thread::get_id();
  notified_.wait(lock, [&] { return !notifying_.has_value() || *notifying_ == self; });
  if (!notifying_.has_value()) done.swap(on_ready_);
  const bool ended = choices_left_ == 0;
  lock.unlock();
  return ended;
}

void TokenStream::Notify(std::unique_lock<std::mutex>* lock) {
  // SetOnReady's own call may be under way on the reader's thread while the engine pushes.
  notified_.wait(*lock, [this] { return !notifying_.has_value(); });
  if (abandoned_ || !reader_waits_ || events_.empty() || on_ready_ == nullptr) return;
  reader_waits_ = false;
  notifying_ = std::this_thread::get_id();
  lock->unlock();
  on_ready_();  // nobody changes it while notifying_ is set
  lock->lock();
  notifying_.reset();
  std::function<void()> done;
  if (abandoned_) done.swap(on_ready_);
  notified_.notify_all();
  lock->unlock();
}

}  // namespace engram
