// SPDX-License-Identifier: Apache-2.0
// Request::Create: the one place where a request's numbers are checked. In the order that clients
// of other servers know: lengths, then sampling values, then token ids.
#include "engine/request.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/field_error.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"

namespace engram {
namespace {

using Ids = std::vector<std::int32_t>;

absl::Status CheckInt(std::string_view field, std::int64_t value, std::int64_t min,
                      std::int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return InvalidField(
      field, absl::StrCat(ToAbsl(field), " must be from ", min, " to ", max, ", got ", value));
}

// [min, max], or (min, max]; NaN is in neither.
struct Interval {
  float min = 0;
  float max = 0;
  bool open_min = false;
};

absl::Status CheckFloat(std::string_view field, float value, Interval allowed) {
  const bool above = allowed.open_min ? value > allowed.min : value >= allowed.min;
  if (above && value <= allowed.max) return absl::OkStatus();
  return InvalidField(
      field, absl::StrCat(ToAbsl(field), " must be in ", allowed.open_min ? "(" : "[", allowed.min,
                          ", ", allowed.max, "], got ", value));
}

absl::Status CheckBytes(std::string_view field, const std::string& value, std::size_t max) {
  if (value.size() <= max) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(ToAbsl(field), " has ", value.size(), " bytes; at most ",
                                          max, " are allowed"));
}

absl::Status CheckCount(std::string_view field, std::size_t count, std::size_t max) {
  if (count <= max) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(ToAbsl(field), " has ", count, " entries; at most ", max,
                                          " are allowed"));
}

absl::Status CheckIds(std::string_view field, const Ids& ids, int vocab_size) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab_size) continue;
    return InvalidField(field,
                        absl::StrCat(ToAbsl(field), " has the token id ", ids[i], " at place ", i,
                                     "; the vocabulary is 0 to ", vocab_size - 1));
  }
  return absl::OkStatus();
}

void SortUnique(Ids* ids) {
  std::sort(ids->begin(), ids->end());
  ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
}

// Cache entries that a sequence needs: the last token that is sampled is never read.
std::int64_t CacheNeed(std::int64_t prompt, std::int64_t max_tokens) {
  return prompt + std::max<std::int64_t>(max_tokens - 1, 0);
}

absl::Status CheckPromptLength(const RequestParams& params, const RequestLimits& limits) {
  const auto prompt = static_cast<std::int64_t>(params.prompt.size());
  if (prompt == 0) return InvalidField("prompt", "the prompt must have at least one token");
  // Room for one token of an answer, where one is wanted.
  const int least_output = params.max_tokens == 0 ? 0 : 1;
  if (prompt + least_output > limits.max_model_len) {
    return WithErrorCode(
        InvalidField("prompt",
                     absl::StrCat("this model's maximum context length is ", limits.max_model_len,
                                  " tokens, but the prompt has ", prompt,
                                  ", which leaves no room for an answer; shorten it")),
        "context_length_exceeded");
  }
  if (CacheNeed(prompt, least_output) > limits.cache_tokens) {
    return InvalidField("prompt", absl::StrCat("the prompt has ", prompt,
                                               " tokens, but this server's cache holds only ",
                                               limits.cache_tokens, "; shorten it"));
  }
  return absl::OkStatus();
}

// Settles max_tokens: at most what the context has left, min_tokens at most that.
absl::Status SettleLengths(RequestParams* params, const RequestLimits& limits) {
  const bool asked = params->max_tokens.has_value();
  if (asked) RETURN_IF_ERROR(CheckInt("max_tokens", *params->max_tokens, 0, limits.max_model_len));
  RETURN_IF_ERROR(CheckPromptLength(*params, limits));
  const auto prompt = static_cast<std::int64_t>(params->prompt.size());
  std::int64_t max_tokens = limits.max_model_len - prompt;
  if (asked) max_tokens = std::min<std::int64_t>(max_tokens, *params->max_tokens);
  const std::int64_t cache_room = limits.cache_tokens - prompt + 1;
  if (asked && CacheNeed(prompt, max_tokens) > limits.cache_tokens) {
    return InvalidField("max_tokens",
                        absl::StrCat("prompt and answer of ", prompt, " + ", max_tokens,
                                     " tokens can never fit into this server's cache of ",
                                     limits.cache_tokens, "; ask for at most ", cache_room));
  }
  if (params->min_tokens < 0 || (asked && params->min_tokens > *params->max_tokens)) {
    return InvalidField(
        "min_tokens", absl::StrCat("min_tokens must be from 0 to max_tokens",
                                   asked ? absl::StrCat(" = ", *params->max_tokens) : std::string(),
                                   ", got ", params->min_tokens));
  }
  params->max_tokens = static_cast<int>(std::min(max_tokens, cache_room));
  params->min_tokens = std::min(params->min_tokens, *params->max_tokens);
  return absl::OkStatus();
}

// The message has no field in it: in a chat request the field is called otherwise.
absl::Status CheckLogprobs(std::string_view field, std::optional<int> count) {
  if (!count.has_value() || (*count >= 0 && *count <= limits::kTopLogprobsMax)) {
    return absl::OkStatus();
  }
  return InvalidField(
      field, absl::StrCat("log-probabilities can be had for 0 to ", limits::kTopLogprobsMax,
                          " tokens at each place, got ", *count));
}

absl::Status CheckSampling(RequestParams* params, const RequestLimits& limits) {
  SamplingParams& sampling = params->sampling;
  RETURN_IF_ERROR(CheckInt("n", params->n, 1, limits::kChoicesMax));
  RETURN_IF_ERROR(CheckFloat("temperature", sampling.temperature, {0, 2}));
  RETURN_IF_ERROR(CheckFloat("top_p", sampling.top_p, {0, 1, true}));
  RETURN_IF_ERROR(CheckFloat("min_p", sampling.min_p, {0, 1}));
  RETURN_IF_ERROR(CheckFloat("presence_penalty", sampling.presence_penalty, {-2, 2}));
  RETURN_IF_ERROR(CheckFloat("frequency_penalty", sampling.frequency_penalty, {-2, 2}));
  if (!std::isfinite(sampling.repetition_penalty) || sampling.repetition_penalty <= 0) {
    return InvalidField("repetition_penalty",
                        absl::StrCat("repetition_penalty must be a finite number above 0, got ",
                                     sampling.repetition_penalty));
  }
  if (sampling.top_k < -1) {
    return InvalidField(
        "top_k", absl::StrCat("top_k must be 0 or -1 (off), or at least 1, got ", sampling.top_k));
  }
  // As many as there are tokens cuts nothing off.
  if (sampling.top_k == -1 || sampling.top_k >= limits.vocab_size) sampling.top_k = 0;
  if (params->n > 1 && sampling.temperature == 0) {
    return InvalidField("n",
                        absl::StrCat("n must be 1 with temperature 0, whose choices would all ",
                                     "be the same, got ", params->n));
  }
  RETURN_IF_ERROR(CheckLogprobs("logprobs", sampling.logprobs));
  return CheckLogprobs("prompt_logprobs", params->prompt_logprobs);
}

// To ids ascending, each once (the last one counts), values clamped to [−100, 100].
absl::Status SettleLogitBias(SamplingParams* sampling, int vocab_size) {
  RETURN_IF_ERROR(
      CheckCount("logit_bias", sampling->logit_bias.size(), limits::kLogitBiasEntriesMax));
  std::map<std::int32_t, float> biases;
  for (const auto& [id, bias] : sampling->logit_bias) {
    if (id < 0 || id >= vocab_size) {
      return InvalidField("logit_bias", absl::StrCat("logit_bias has the token id ", id,
                                                     "; the vocabulary is 0 to ", vocab_size - 1));
    }
    if (!std::isfinite(bias)) {
      return InvalidField("logit_bias", absl::StrCat("logit_bias of token ", id,
                                                     " must be a finite number, got ", bias));
    }
    biases[id] = std::clamp(bias, -100.0f, 100.0f);
  }
  sampling->logit_bias.assign(biases.begin(), biases.end());
  return absl::OkStatus();
}

absl::Status SettleIds(RequestParams* params, int vocab_size) {
  SamplingParams& sampling = params->sampling;
  RETURN_IF_ERROR(CheckIds("prompt", params->prompt, vocab_size));
  RETURN_IF_ERROR(
      CheckCount("stop_token_ids", params->stop_token_ids.size(), limits::kStopTokenIdsMax));
  RETURN_IF_ERROR(CheckIds("stop_token_ids", params->stop_token_ids, vocab_size));
  SortUnique(&params->stop_token_ids);
  RETURN_IF_ERROR(CheckIds("allowed_token_ids", sampling.allowed_token_ids, vocab_size));
  SortUnique(&sampling.allowed_token_ids);
  return SettleLogitBias(&sampling, vocab_size);
}

std::uint64_t DrawSeed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

absl::StatusOr<Request> Request::Create(RequestParams params, const RequestLimits& limits) {
  RETURN_IF_ERROR(CheckBytes("request_id", params.id, limits::kRequestIdBytesMax));
  RETURN_IF_ERROR(SettleLengths(&params, limits));
  RETURN_IF_ERROR(CheckSampling(&params, limits));
  RETURN_IF_ERROR(SettleIds(&params, limits.vocab_size));
  RETURN_IF_ERROR(
      CheckInt("priority", params.priority, -limits::kPriorityMax, limits::kPriorityMax));
  RETURN_IF_ERROR(CheckBytes("cache_salt", params.cache_salt, limits::kCacheSaltBytesMax));
  if (params.engram_gates && !limits.has_engram) {
    return InvalidField("engram.gates", "this model has no Engram layers, so it has no gates");
  }
  params.sampling.seed = params.seed.has_value() ? *params.seed : DrawSeed();

  Ids eos = limits.eos_token_ids;
  SortUnique(&eos);
  Ids ends = params.stop_token_ids;
  if (!params.ignore_eos) ends.insert(ends.end(), eos.begin(), eos.end());
  SortUnique(&ends);
  return Request(std::move(params), std::move(ends), std::move(eos));
}

bool Request::IsEos(std::int32_t token) const {
  return std::binary_search(eos_token_ids_.begin(), eos_token_ids_.end(), token);
}

}  // namespace engram
