// SPDX-License-Identifier: Apache-2.0
#include "server/frontend.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "base/field_error.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "config/limits.h"
#include "server/text_generation.h"

namespace engram {
namespace {

absl::Status Wrong(std::string_view field, const std::string& words) {
  return InvalidField(field, std::string(field) + ' ' + words);
}

// Longest text that one token stands for: so much text is more than so many tokens.
std::size_t LongestToken(const Tokenizer& tokenizer) {
  std::size_t longest = 1;
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) {
    longest = std::max(longest, tokenizer.TokenBytes(id).size());
  }
  return longest;
}

absl::Status CheckCount(const GenerateParams& params) {
  const int n = params.request.n;
  const auto prompts = static_cast<int>(params.prompts.size());
  if (prompts == 0) return Wrong("prompt", "must not be an empty list");
  if (prompts > limits::kPromptsPerRequestMax) {
    return Wrong("prompt",
                 "must be at most " + std::to_string(limits::kPromptsPerRequestMax) + " prompts");
  }
  if (n < 1 || n > limits::kChoicesMax) {
    return Wrong("n", "must be in [1, " + std::to_string(limits::kChoicesMax) + "], got " +
                          std::to_string(n));
  }
  if (prompts * n > limits::kSequencesPerRequestMax) {
    return Wrong("n", "times the number of prompts must be at most " +
                          std::to_string(limits::kSequencesPerRequestMax));
  }
  return absl::OkStatus();
}

absl::Status CheckStop(const std::vector<std::string>& stop) {
  if (stop.size() > limits::kStopStringsMax) {
    return Wrong("stop", "must be at most " + std::to_string(limits::kStopStringsMax) + " strings");
  }
  for (const std::string& text : stop) {
    if (text.empty()) return Wrong("stop", "must not contain an empty string");
    if (text.size() > limits::kStopStringBytesMax) {
      return Wrong("stop", "must contain no string longer than " +
                               std::to_string(limits::kStopStringBytesMax) + " bytes");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTruncation(const GenerateParams& params, int max_model_len) {
  const auto keep = params.truncate_prompt_tokens;
  if (!keep.has_value() || *keep == -1 || (*keep >= 1 && *keep <= max_model_len)) {
    return absl::OkStatus();
  }
  return Wrong("truncate_prompt_tokens", "must be −1 or in [1, " + std::to_string(max_model_len) +
                                             "], got " + std::to_string(*keep));
}

void Truncate(const GenerateParams& params, int max_model_len, std::vector<std::int32_t>* ids) {
  if (!params.truncate_prompt_tokens.has_value()) return;
  const int keep =
      *params.truncate_prompt_tokens == -1 ? max_model_len : *params.truncate_prompt_tokens;
  const auto excess = static_cast<std::ptrdiff_t>(ids->size()) - keep;
  if (excess <= 0) return;
  params.truncate_right ? ids->erase(ids->end() - excess, ids->end())
                        : ids->erase(ids->begin(), ids->begin() + excess);
}

// What the engine is asked, but for the prompt.
absl::StatusOr<RequestParams> EngineParams(const GenerateParams& params, const Clock& clock) {
  RequestParams request = params.request;
  if (params.echo && request.sampling.logprobs.has_value()) {
    request.prompt_logprobs =
        std::max(request.prompt_logprobs.value_or(0), *request.sampling.logprobs);
  }
  if (params.time_limit_ms.has_value()) {
    constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;
    if (*params.time_limit_ms < 1 || *params.time_limit_ms > kDayMs) {
      return Wrong("time_limit_ms", "must be in [1, " + std::to_string(kDayMs) + "], got " +
                                        std::to_string(*params.time_limit_ms));
    }
    const TimePoint deadline = clock.Now() + std::chrono::milliseconds(*params.time_limit_ms);
    request.deadline = request.deadline ? std::min(*request.deadline, deadline) : deadline;
  }
  return request;
}

}  // namespace

Frontend::Frontend(const FrontendOptions& options, const Tokenizer* tokenizer,
                   const ChatTemplate* chat, Engine* engine, const Clock* clock)
    : options_(options),
      tokenizer_(tokenizer),
      chat_(chat),
      engine_(engine),
      clock_(clock),
      token_bytes_max_(LongestToken(*tokenizer)) {}

RequestParams Frontend::DefaultRequest() const {
  RequestParams request;
  request.sampling = options_.default_sampling;
  return request;
}

absl::Status Frontend::CheckModel(std::string_view model) const {
  const auto& aliases = options_.model_aliases;
  if (model.empty() || model == options_.model_name ||
      std::find(aliases.begin(), aliases.end(), model) != aliases.end()) {
    return absl::OkStatus();
  }
  std::string names = options_.model_name;
  for (const std::string& alias : aliases) names += ", " + alias;
  return WithErrorCode(WithField(absl::NotFoundError("the model `" + std::string(model) +
                                                     "` does not exist; this server has: " + names),
                                 "model"),
                       "model_not_found");
}

absl::StatusOr<std::unique_ptr<TextGeneration>> Frontend::Generate(GenerateParams params) const {
  const int max_model_len = options_.limits.max_model_len;
  RETURN_IF_ERROR(CheckCount(params));
  RETURN_IF_ERROR(CheckStop(params.stop));
  RETURN_IF_ERROR(CheckTruncation(params, max_model_len));
  ASSIGN_OR_RETURN(const RequestParams common, EngineParams(params, *clock_));

  std::vector<PromptStream> streams;
  std::vector<Request> requests;
  for (const Prompt& prompt : params.prompts) {
    RequestParams request = common;
    ASSIGN_OR_RETURN(request.prompt, PromptIds(prompt, params.add_special_tokens));
    Truncate(params, max_model_len, &request.prompt);
    PromptStream stream{.tokens = request.prompt, .text = "", .generation = nullptr};
    if (params.echo) {
      const auto* text = std::get_if<std::string>(&prompt);
      stream.text = text != nullptr && !params.truncate_prompt_tokens.has_value()
                        ? *text
                        : tokenizer_->Decode(request.prompt, params.skip_special_tokens);
    }
    ASSIGN_OR_RETURN(Request created, Request::Create(std::move(request), options_.limits));
    requests.push_back(std::move(created));
    streams.push_back(std::move(stream));
  }
  TextRules rules{.choices_per_prompt = params.request.n,
                  .stop = std::move(params.stop),
                  .include_stop = params.include_stop_str_in_output,
                  .skip_special_tokens = params.skip_special_tokens,
                  .min_tokens = params.request.min_tokens,
                  .echo = params.echo};
  ASSIGN_OR_RETURN(auto generations, engine_->SubmitAll(std::move(requests)));
  for (std::size_t i = 0; i < streams.size(); ++i) {
    streams[i].generation = std::move(generations[i]);
  }
  return std::unique_ptr<TextGeneration>(
      std::make_unique<EngineTextGeneration>(tokenizer_, std::move(rules), std::move(streams)));
}

absl::StatusOr<std::vector<std::int32_t>> Frontend::Tokenize(
    const Prompt& prompt, std::optional<bool> add_special_tokens) const {
  return PromptIds(prompt, add_special_tokens);
}

absl::StatusOr<std::string> Frontend::Detokenize(const std::vector<std::int32_t>& ids) const {
  for (const std::int32_t id : ids) {
    if (id < 0 || tokenizer_->TokenString(id).empty()) {
      return Wrong("tokens", "has the id " + std::to_string(id) + ", which is no token's");
    }
  }
  return tokenizer_->Decode(ids, /*skip_special_tokens=*/false);
}

absl::StatusOr<std::vector<std::int32_t>> Frontend::PromptIds(
    const Prompt& prompt, std::optional<bool> add_special_tokens) const {
  if (const auto* ids = std::get_if<std::vector<std::int32_t>>(&prompt)) {
    return *ids;
  }
  if (const auto* chat = std::get_if<ChatPrompt>(&prompt)) {
    ASSIGN_OR_RETURN(const auto pieces, chat_->Render(chat->messages, chat->options));
    std::size_t bytes = 0;
    for (const PromptPiece& piece : pieces) bytes += piece.text.size();
    RETURN_IF_ERROR(CheckLength(bytes));
    return EncodePieces(*tokenizer_, pieces);
  }
  const std::string& text = std::get<std::string>(prompt);
  RETURN_IF_ERROR(CheckLength(text.size()));
  auto encoded = tokenizer_->Encode(text, SpecialTokens::kParse);
  if (!encoded.ok()) return WithField(encoded.status(), "prompt");
  std::vector<std::int32_t> ids = *std::move(encoded);
  const auto bos = tokenizer_->bos_id();
  if (!bos.has_value() || !tokenizer_->add_bos_token() || !add_special_tokens.value_or(true)) {
    return ids;
  }
  if (!ids.empty() && ids.front() == *bos) {
    LOG_DEBUG("a prompt brings its own BOS; no second one is added");
    return ids;
  }
  ids.insert(ids.begin(), *bos);
  return ids;
}

// Refuses a text that is too long however it is tokenized, before much time is spent on it.
absl::Status Frontend::CheckLength(std::size_t bytes) const {
  const auto tokens_min = bytes / token_bytes_max_;
  if (tokens_min <= static_cast<std::size_t>(options_.limits.max_model_len)) {
    return absl::OkStatus();
  }
  return WithErrorCode(
      Wrong("prompt", "is " + std::to_string(bytes) + " bytes long, which is more than " +
                          std::to_string(options_.limits.max_model_len) +
                          " tokens, the model's maximum context length"),
      "context_length_exceeded");
}

}  // namespace engram
