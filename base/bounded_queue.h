// SPDX-License-Identifier: Apache-2.0
// A queue with a limit, from many threads to one. It never blocks a producer: a full queue is an
// answer ("try later"), not a wait. std::mutex, so that ThreadSanitizer can follow it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace engram {

// Thread-safe.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // False if the queue is full or closed; `item` is untouched then.
  bool TryPush(T&& item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return true;
  }

  // Everything in the queue, oldest first; waits up to `wait` for a first item, Wake() or Close().
  std::vector<T> PopAll(Duration wait) {
    std::unique_lock lock(mutex_);
    if (wait > Duration::zero()) {
      not_empty_.wait_for(lock, wait, [this] { return !items_.empty() || closed_ || woken_; });
    }
    woken_ = false;
    std::vector<T> out(std::make_move_iterator(items_.begin()),
                       std::make_move_iterator(items_.end()));
    items_.clear();
    return out;
  }

  // Ends a PopAll wait, now or the next one.
  void Wake() {
    {
      std::lock_guard lock(mutex_);
      woken_ = true;
    }
    not_empty_.notify_one();
  }

  // From now on TryPush fails; what is in the queue can still be popped.
  void Close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_empty_.notify_one();
  }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  // State below is protected by mutex_.
  std::deque<T> items_;
  bool closed_ = false;
  bool woken_ = false;
};

}  // namespace engram
