// SPDX-License-Identifier: Apache-2.0
// What is asked of the engine and what comes back, in token ids. A Request can only be made by
// Request::Create, which checks every range; after that nobody asks "is it valid?" again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace engram {

// How a token is picked. Defaults: the model's own distribution (temperature 1, nothing cut off).
struct SamplingParams {
  float temperature = 1.0f;                                // [0, 2]; 0 = greedy
  int top_k = 0;                                           // 0 = off (Create also takes −1)
  float top_p = 1.0f;                                      // (0, 1]
  float min_p = 0.0f;                                      // [0, 1]
  float repetition_penalty = 1.0f;                         // > 0; over prompt and output
  float presence_penalty = 0.0f;                           // [−2, 2]; over the output
  float frequency_penalty = 0.0f;                          // [−2, 2]; over the output
  std::vector<std::pair<std::int32_t, float>> logit_bias;  // ids ascending, values [−100, 100]
  std::vector<std::int32_t> allowed_token_ids;             // ascending; empty = all
  std::uint64_t seed = 0;  // always set: Create draws one if the client gave none
  // Log-probabilities of the sampled token and of this many best ones; none if absent. They are
  // those of the model, before temperature, penalties and bias.
  std::optional<int> logprobs;
};

// The input of Request::Create; nothing in it is trusted.
struct RequestParams {
  std::string id;                    // for logs
  std::vector<std::int32_t> prompt;  // token ids, BOS included if wanted
  int n = 1;                         // sequences to sample from the one prompt
  std::optional<int> max_tokens;     // absent: all that max_model_len leaves
  int min_tokens = 0;                // EOS and stop ids are masked before
  bool ignore_eos = false;
  std::vector<std::int32_t> stop_token_ids;
  SamplingParams sampling;
  std::optional<std::uint64_t> seed;   // goes into sampling.seed; choice i uses (seed, i)
  std::optional<int> prompt_logprobs;  // as sampling.logprobs, for every prompt token but the first
  int priority = 0;                    // lower first
  std::optional<TimePoint> deadline;   // ends with kDeadline when passed, waiting or running
  std::string cache_salt;              // prefix cache entries are shared only within one salt
  bool engram_enabled = true;          // false: this request's memory reads as nothing
  bool engram_gates = false;           // return the gates of every token
};

// What Create checks against.
struct RequestLimits {
  int max_model_len = 0;
  int vocab_size = 0;             // logits; ids at or above it are refused
  std::int64_t cache_tokens = 0;  // what the whole cache can hold; more never fits
  std::vector<std::int32_t> eos_token_ids;
  bool has_engram = false;
};

class Request {
 public:
  // Fails with InvalidArgument naming the field (base/field_error.h). What is merely too long
  // together (prompt + max_tokens over max_model_len) is cut: max_tokens becomes what fits,
  // min_tokens no more. A prompt that leaves no room is an error with code
  // "context_length_exceeded"; max_tokens 0 (the prompt's log-probabilities alone) needs none. What
  // can never fit into the cache is an error too.
  static absl::StatusOr<Request> Create(RequestParams params, const RequestLimits& limits);

  const std::string& id() const { return params_.id; }
  const std::vector<std::int32_t>& prompt() const { return params_.prompt; }
  int n() const { return params_.n; }
  int max_tokens() const { return *params_.max_tokens; }
  int min_tokens() const { return params_.min_tokens; }
  const SamplingParams& sampling() const { return params_.sampling; }
  std::optional<int> prompt_logprobs() const { return params_.prompt_logprobs; }
  int priority() const { return params_.priority; }
  std::optional<TimePoint> deadline() const { return params_.deadline; }
  const std::string& cache_salt() const { return params_.cache_salt; }
  bool engram_enabled() const { return params_.engram_enabled; }
  bool engram_gates() const { return params_.engram_gates; }
  // Ids that end a sequence (EOS, unless ignored, and the stop ids), ascending.
  const std::vector<std::int32_t>& end_token_ids() const { return end_token_ids_; }
  bool IsEos(std::int32_t token) const;

 private:
  Request(RequestParams params, std::vector<std::int32_t> end_token_ids,
          std::vector<std::int32_t> eos_token_ids)
      : params_(std::move(params)),
        end_token_ids_(std::move(end_token_ids)),
        eos_token_ids_(std::move(eos_token_ids)) {}

  RequestParams params_;
  std::vector<std::int32_t> end_token_ids_;
  std::vector<std::int32_t> eos_token_ids_;
};

enum class FinishReason {
  kStop,       // EOS or a stop id
  kLength,     // max_tokens or max_model_len
  kCancelled,  // the client went away or the handle was dropped
  kDeadline,   // the request's deadline passed
  kAborted,    // the server ended it: drain timeout
  kFailed,     // the server could not compute it; TokenEvent::error says why
};

struct TokenLogprob {
  std::int32_t token = 0;
  float logprob = 0;
  int rank = 0;  // 1 = the most likely
};

// One sampled token, or one token of the prompt.
//
// Gates belong to input tokens: those of token t come from the step that reads t. A choice that
// wants gates therefore sends each sampled token one step later, when it has been read; the last
// token of a choice is never read and has none. So a client gets one gates vector per prompt token
// (in the PromptResult) and per output token but the last, each with its own token.
struct TokenResult {
  std::int32_t token = 0;
  std::optional<TokenLogprob> logprob;     // of `token` itself; absent where not asked for
  std::vector<TokenLogprob> top_logprobs;  // best first; as many as asked for
  std::vector<float> gates;  // [Engram layers × streams] or empty; of this input token
};

// What is known of a prompt once it has been computed: one per request, sent with the first event
// of each of its choices (absent if the request ended before its prompt was computed).
struct PromptResult {
  int cached_tokens = 0;            // how many came from the prefix cache
  std::vector<TokenResult> tokens;  // one per prompt token if logprobs or gates were asked for
};

// One thing that happened to one of a request's n sequences. The last event of a choice has
// `finish`.
struct TokenEvent {
  int choice = 0;
  std::shared_ptr<const PromptResult>
      prompt;  // owners: the events of one request and their readers
  std::optional<TokenResult> token;
  std::optional<FinishReason> finish;
  std::optional<std::int32_t> stop_token;  // the stop id that ended it, if not EOS
  std::string error;                       // why, if finish is kFailed
};

}  // namespace engram
