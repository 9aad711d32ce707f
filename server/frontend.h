// SPDX-License-Identifier: Apache-2.0
// The one path that both transports use: prompts (text, token ids or chat messages) to engine
// requests, token events back to text. Tokenizes, renders, validates, submits; detokenizes and
// matches stop strings as events arrive. Knows neither HTTP nor gRPC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "engine/request.h"
#include "server/text/chat_template.h"
#include "server/text/tokenizer.h"

namespace engram {

// What a transport asks for. Fields of `params` other than prompt are as in RequestParams.
struct ChatPrompt {
  std::vector<ChatMessage> messages;
  ChatOptions options;
};
using Prompt = std::variant<std::string, std::vector<std::int32_t>, ChatPrompt>;

struct GenerateParams {
  std::vector<Prompt> prompts;  // ≥ 1; choice index = prompt · n + i
  RequestParams request;        // prompt left empty
  std::vector<std::string> stop;
  bool include_stop_str_in_output = false;
  bool skip_special_tokens = true;
  std::optional<bool> add_special_tokens;  // BOS in front of text prompts; default: add_bos_token
  std::optional<std::int64_t> time_limit_ms;
  // The prompt's text (and logprobs, if asked for) before the answer; max_tokens may be 0 then.
  bool echo = false;
  std::optional<int>
      truncate_prompt_tokens;   // keep so many: [1, max_model_len], −1 = max_model_len
  bool truncate_right = false;  // cut the prompt's end and not its beginning
};

// Text that became final for one choice, or its end.
struct TextDelta {
  int choice = 0;
  std::string text;                 // may be empty (half a character, a possible stop string)
  std::vector<TokenResult> tokens;  // the tokens this delta was made from
  std::shared_ptr<const PromptResult>
      prompt;  // with the choice's first delta. Owners: deltas, readers
  std::optional<FinishReason> finish;
  std::optional<std::string> stop_string;  // what matched, if finish is kStop
  std::optional<std::int32_t> stop_token;
  std::string error;  // why, if finish is kFailed
};

struct Usage {
  int prompt_tokens = 0;
  int completion_tokens = 0;
  int cached_tokens = 0;
};

// A client's request being answered. Destroying it cancels what still runs. Not thread-safe: the
// transport calls it from one task at a time; only on_ready comes from elsewhere.
class TextGeneration {
 public:
  virtual ~TextGeneration() = default;
  // See Generation::SetOnReady.
  virtual void SetOnReady(std::function<void()> on_ready) = 0;
  // All deltas that are ready. Empty: none yet.
  virtual std::vector<TextDelta> Poll() = 0;
  virtual bool finished() const = 0;  // every choice has sent its finish
  virtual Usage usage() const = 0;
  virtual int choices() const = 0;
  // Of prompt i, as computed: BOS and template included.
  virtual const std::vector<std::int32_t>& prompt_tokens(int prompt) const = 0;
};

struct FrontendOptions {
  RequestLimits limits;
  std::string model_name;                  // as answers call it
  std::vector<std::string> model_aliases;  // further names that requests may use
  // What a client gets that says nothing: the checkpoint's generation_config.json.
  SamplingParams default_sampling;
};

// Thread-safe.
class Frontend {
 public:
  // All must outlive the frontend.
  Frontend(const FrontendOptions& options, const Tokenizer* tokenizer, const ChatTemplate* chat,
           Engine* engine, const Clock* clock);

  // Errors name the field (base/field_error.h). Everything that can be known about the request is
  // known when this returns: afterwards only the deadline, a drain or a dead engine can end it
  // early.
  absl::StatusOr<std::unique_ptr<TextGeneration>> Generate(GenerateParams params) const;

  absl::StatusOr<std::vector<std::int32_t>> Tokenize(const Prompt& prompt,
                                                     std::optional<bool> add_special_tokens) const;
  // InvalidArgument for ids that have no token.
  absl::StatusOr<std::string> Detokenize(const std::vector<std::int32_t>& ids) const;

  // Where a transport starts before it puts in what the client said: the default sampling.
  RequestParams DefaultRequest() const;
  // NotFound (field "model", code "model_not_found") unless `model` is empty or a served name.
  absl::Status CheckModel(std::string_view model) const;

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const FrontendOptions& options() const { return options_; }
  Engine& engine() const { return *engine_; }

 private:
  absl::StatusOr<std::vector<std::int32_t>> PromptIds(const Prompt& prompt,
                                                      std::optional<bool> add_special_tokens) const;
  absl::Status CheckLength(std::size_t bytes) const;

  const FrontendOptions options_;
  const Tokenizer* const tokenizer_;
  const ChatTemplate* const chat_;
  Engine* const engine_;
  const Clock* const clock_;
  const std::size_t token_bytes_max_;
};

}  // namespace engram
