// SPDX-License-Identifier: Apache-2.0
// Brings one generation to its client: polls it whenever the engine says that something is ready,
// and answers in one body or in events. No thread waits for anything. A client that leaves, or
// reads too slowly for too long, ends the generation at once.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "server/frontend.h"
#include "server/http/answer.h"
#include "server/http/request_scope.h"

namespace engram {

// Counts the generations being answered.
using InFlightCount = std::atomic<int>;

class GenerationTask : public std::enable_shared_from_this<GenerationTask> {
 public:
  // Takes over the request: after this it is answered, or its client has gone. `in_flight` must
  // outlive the task.
  static void Start(std::shared_ptr<RequestScope> scope, AnswerContext context,
                    std::unique_ptr<TextGeneration> generation, InFlightCount* in_flight);

  GenerationTask(std::shared_ptr<RequestScope> scope, AnswerContext context,
                 std::unique_ptr<TextGeneration> generation, InFlightCount* in_flight);
  ~GenerationTask() { --*in_flight_; }

 private:
  // All run on the exchange, one at a time.
  void Begin();
  void Pump();
  void OnGone();
  void PumpUnary();
  void PumpStream();

  const std::shared_ptr<RequestScope> scope_;  // owners: this and the exchange's handler
  const AnswerContext context_;
  InFlightCount* const in_flight_;
  std::unique_ptr<TextGeneration> generation_;  // null once answered or gone
  std::optional<UnaryAnswer> unary_;
  std::optional<StreamedAnswer> streamed_;
};

}  // namespace engram
