// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM as something to wait for. The first one asks the server to stop, the second
// ends the process at once. Until serving begins there is nothing to finish, and the first one ends
// it.
#pragma once

#include <memory>

namespace engram {

// Thread-safe. One per process, never destroyed while others run: its thread waits for signals
// until the process ends.
class StopSignals {
 public:
  // REQUIRES: no other thread runs yet: they all inherit that these signals are blocked.
  StopSignals();

  // From now on the first signal is for WaitForStop.
  void BeginServing();
  // Returns the first signal's number.
  int WaitForStop();

 private:
  struct State;
  const std::shared_ptr<State> state_;  // owners: this and the waiting thread
};

}  // namespace engram
