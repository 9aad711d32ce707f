// SPDX-License-Identifier: Apache-2.0
// An HTTP server that plays a script: bytes after delays, whatever they say. It notes when it
// really sent them, so that a test on a busy machine compares a measurement with what happened.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace engram::bench {

struct ScriptPart {
  int delay_ms = 0;
  std::string bytes;
};

struct Script {
  std::vector<ScriptPart> parts;
  bool close = false;  // the connection, after the last part
};

class FakeHttpServer {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Of one request: when it had been read, and when each part was sent.
  struct Played {
    Time received;
    std::vector<Time> sent;
  };

  // What a request, head and body, is answered with. Called from many threads.
  using Answer = std::function<Script(const std::string& request)>;

  explicit FakeHttpServer(Answer answer);
  // Answers every request with `script`.
  explicit FakeHttpServer(Script script)
      : FakeHttpServer([script = std::move(script)](const std::string&) { return script; }) {}
  ~FakeHttpServer();

  int port() const { return port_; }
  std::vector<Played> played();
  std::vector<std::string> requests();
  int connections() const { return connections_; }

 private:
  void Accept();
  void Serve(int socket);
  void Note(const std::string& request, const Played& played);

  const Answer answer_;
  int listener_ = 0;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<Played> played_;         // guarded by mutex_
  std::vector<std::string> requests_;  // guarded by mutex_
  std::vector<int> sockets_;           // guarded by mutex_
  std::vector<std::thread> threads_;   // guarded by mutex_
  std::thread acceptor_;
};

}  // namespace engram::bench
