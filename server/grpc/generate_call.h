// SPDX-License-Identifier: Apache-2.0
// One Generate or GenerateStream call between three worlds that call in whenever they like: gRPC
// (cancelled, write done), the engine (events are ready) and the worker pool. Everything that
// happens is noted as an event and handled on the pool, one event at a time, so that the rest is
// plain sequential code.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/frontend.h"
#include "server/grpc/worker_pool.h"

namespace engram {

// What a call does with an answer: send it in pieces, or collect it. Called by one task at a time.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  // What is new. Returns true if it is being sent: the call hands over nothing more until
  // GenerateCall::WriteDone. `generation` has the usage if it is finished.
  virtual bool Take(std::vector<TextDelta> deltas, const TextGeneration& generation) = 0;
  // The end; the last call, after which the sink may be gone. `generation` is null if there never
  // was one or it was cancelled.
  virtual void End(const absl::Status& status, const TextGeneration* generation) = 0;
};

// Thread-safe. Lives as long as somebody may still report an event.
class GenerateCall : public std::enable_shared_from_this<GenerateCall> {
 public:
  using Starter = std::function<absl::StatusOr<std::unique_ptr<TextGeneration>>()>;

  // `pool` must outlive the call, `sink` lives until its End.
  GenerateCall(WorkerPool* pool, AnswerSink* sink, Starter starter);

  // Once: runs `starter` on the pool and hands its answer to the sink.
  void Start();
  // The bytes that Take said are being sent have gone, or cannot go because the client is gone.
  void WriteDone(bool ok);
  // The client has gone: what still runs is dropped at once.
  void Cancel();

 private:
  enum Event : unsigned {
    kStart = 1,
    kReady = 2,
    kWritten = 4,
    kCancelled = 8,
  };

  void Note(unsigned events);
  void Run();
  // Below: on the pool, one at a time.
  void Handle(unsigned events);
  void BeginGeneration();
  void Pump();
  void End(const absl::Status& status);

  WorkerPool* const pool_;

  std::mutex mutex_;
  // State below is protected by mutex_.
  unsigned noted_ = 0;
  bool scheduled_ = false;  // a Run is posted or running

  // State below belongs to the one Run at a time.
  AnswerSink* sink_;  // null after End
  Starter starter_;
  std::unique_ptr<TextGeneration> generation_;
  bool ready_ = false;
  bool writing_ = false;
  bool cancelled_ = false;
  absl::Status outcome_;  // an error: the engine could not compute a choice
};

}  // namespace engram
