// SPDX-License-Identifier: Apache-2.0
// Seconds since the start of a run, from a clock that nobody sets.
#pragma once

#include <chrono>

namespace engram::bench {

class RunClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void Restart() { start_ = std::chrono::steady_clock::now(); }
  double Now() const { return Seconds(std::chrono::steady_clock::now()); }
  double Seconds(Time time) const {
    return std::chrono::duration<double>(time - start_).count();
  }
  Time At(double seconds) const {
    return start_ + std::chrono::duration_cast<Time::duration>(
                        std::chrono::duration<double>(seconds));
  }

 private:
  Time start_ = std::chrono::steady_clock::now();
};

}  // namespace engram::bench
