// SPDX-License-Identifier: Apache-2.0
// The OpenAI routes and vLLM's /tokenize and /detokenize, over the frontend. Each function answers
// its request, now or later.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/frontend.h"
#include "server/http/generation_task.h"
#include "server/http/openai_json.h"
#include "server/http/request_scope.h"

namespace engram {

struct OpenAiApiOptions {
  std::string model_root;          // what a model card calls "root"
  std::string fingerprint;         // "system_fingerprint"
  std::vector<int> engram_layers;  // of the model; empty: it has no memory
  int engram_streams = 1;
};

// Thread-safe.
class OpenAiApi {
 public:
  using Scope = std::shared_ptr<RequestScope>;

  // `frontend` must outlive this.
  OpenAiApi(OpenAiApiOptions options, const Frontend* frontend);

  void ListModels(const Scope& scope) const;
  void GetModel(const Scope& scope, std::string_view id) const;
  void Completions(const Scope& scope);
  void ChatCompletions(const Scope& scope);
  void Tokenize(const Scope& scope) const;
  void Detokenize(const Scope& scope) const;

  // Generations being answered.
  int in_flight() const { return in_flight_.load(); }
  const Frontend& frontend() const { return *frontend_; }

 private:
  void Generate(const Scope& scope, absl::StatusOr<OpenAiRequest> parsed);
  void WriteModelCard(JsonWriter* json, std::string_view name) const;

  const OpenAiApiOptions options_;
  const Frontend* const frontend_;
  const std::int64_t started_;  // seconds since 1970
  InFlightCount in_flight_{0};
};

}  // namespace engram
