// SPDX-License-Identifier: Apache-2.0
// Time as an argument: whoever needs the time gets a Clock, so that tests decide what time it is.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace engram {

// Nanoseconds of a clock that never steps back; only differences mean something.
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
};

// Stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  TimePoint Now() const override { return TimePoint(Duration(now_ns_.load())); }
  void Advance(Duration by) { now_ns_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_ns_{0};
};

}  // namespace engram
