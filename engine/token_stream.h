// SPDX-License-Identifier: Apache-2.0
// The events of one request on their way from the engine thread to whoever reads them. Bounded by
// the request itself: n choices of max_tokens events and an end each, so a slow reader costs no
// more than its own answer and never holds the engine up.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/request.h"

namespace engram {

// Thread-safe. Owners: the engine, as long as the request lives, and the reader's Generation.
class TokenStream {
 public:
  // For a request of `choices` choices, which ends when each has had an event with `finish`.
  explicit TokenStream(int choices) : choices_left_(choices) {}

  // Engine thread. REQUIRES: not ended.
  void Push(TokenEvent event);

  // As Generation::SetOnReady and TryNext. REQUIRES: SetOnReady is called once.
  void SetOnReady(std::function<void()> on_ready);
  std::optional<TokenEvent> TryNext();

  // The reader is gone: events are dropped from now on, and on_ready is neither running (unless
  // this is called from inside it) nor called again when this returns. True if the request had
  // ended.
  bool Abandon();

 private:
  // Calls on_ready_ if the reader waits and there is something, without the lock, so that it may
  // call TryNext or drop its Generation. The lock may be held or not when this returns.
  void Notify(std::unique_lock<std::mutex>* lock);

  std::mutex mutex_;
  std::condition_variable notified_;
  // State below is protected by mutex_.
  std::deque<TokenEvent> events_;
  int choices_left_;
  bool abandoned_ = false;
  bool reader_waits_ = false;  // it has been told that there is nothing
  std::function<void()> on_ready_;
  std::optional<std::thread::id> notifying_;  // who is inside on_ready_
};

}  // namespace engram
