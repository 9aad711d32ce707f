// SPDX-License-Identifier: Apache-2.0
#include "server/signals.h"

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace engram {
namespace {

constexpr int kExitSignalBase = 128;

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

struct StopSignals::State {
  std::mutex mutex;
  std::condition_variable changed;
  // State below is protected by mutex.
  bool serving = false;
  int first_signal = 0;

  void OnSignal(int signal) {
    std::lock_guard lock(mutex);
    // No clean-up: whoever asks twice does not want to wait for it.
    if (!serving || first_signal != 0) std::_Exit(kExitSignalBase + signal);
    first_signal = signal;
    changed.notify_all();
  }
};

StopSignals::StopSignals() : state_(std::make_shared<State>()) {
  const sigset_t set = StopSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A client that leaves while it is being written to is an error code and not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  std::thread([state = state_, set] {
    while (true) {
      int signal = 0;
      if (sigwait(&set, &signal) == 0) state->OnSignal(signal);
    }
  }).detach();
}

void StopSignals::BeginServing() {
  std::lock_guard lock(state_->mutex);
  state_->serving = true;
}

int StopSignals::WaitForStop() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->first_signal != 0; });
  return state_->first_signal;
}

}  // namespace engram
