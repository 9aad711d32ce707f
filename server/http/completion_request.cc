// SPDX-License-Identifier: Apache-2.0
// The body of POST /v1/completions (openai_json.h).
#include <utility>

#include "base/field_error.h"
#include "base/status_macros.h"
#include "config/limits.h"
#include "server/http/openai_json.h"
#include "server/http/request_fields.h"

namespace engram {
namespace {

constexpr int kMaxTokensDefault = 16;  // OpenAI's

constexpr std::string_view kPromptTypes =
    "a string, a list of strings, a list of token ids or a list of such lists";

absl::Status CheckCompletionRules(JsonValue body) {
  const auto given = [body](std::string_view name) {
    const auto value = body.Find(name);
    return value.has_value() && !value->is(JsonKind::kNull);
  };
  if (given("prompt_embeds")) {
    return Unsupported("prompt_embeds");
  }
  if (!given("prompt")) return Wrong("prompt", "must be given");
  const auto suffix = body.Find("suffix");
  if (given("suffix") && !(suffix->is(JsonKind::kString) && suffix->String().empty())) {
    return Unsupported("suffix", "is not supported: this model cannot fill in the middle");
  }
  if (const auto logprobs = body.Find("logprobs"); given("logprobs")) {
    if (logprobs->is(JsonKind::kString)) {
      return Wrong("logprobs", "must be an integer, got " + logprobs->Describe());
    }
    const auto count = LaxInteger(*logprobs);
    if (count.has_value() && *count < 0) {
      return Wrong("logprobs", "must not be negative, got " + std::to_string(*count));
    }
  }
  return CheckRules(body);
}

std::optional<std::vector<std::int32_t>> ReadIds(JsonValue list, const std::string& path,
                                                 FieldErrors* errors) {
  std::vector<std::int32_t> ids;
  ids.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto id = LaxInteger(list.At(i));
    // A string is a token id nowhere else either: ["12"] is a list of texts.
    if (!id.has_value() || *id < 0 || list.At(i).is(JsonKind::kString)) {
      errors->AddType(path + '.' + std::to_string(i), "a token id", list.At(i));
      return std::nullopt;
    }
    ids.push_back(static_cast<std::int32_t>(std::min<std::int64_t>(*id, INT32_MAX)));
  }
  return ids;
}

// A list of texts or of lists of ids; which one is seen by its first element.
std::vector<Prompt> ReadPromptList(JsonValue list, const std::string& path, FieldErrors* errors) {
  std::vector<Prompt> prompts;
  const JsonKind kind = list.At(0).kind();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonValue element = list.At(i);
    if (!element.is(kind)) {
      errors->AddType(path, kPromptTypes, list);
      return {};
    }
    if (kind == JsonKind::kString) {
      prompts.emplace_back(std::string(element.String()));
      continue;
    }
    auto ids = ReadIds(element, path + '.' + std::to_string(i), errors);
    if (!ids.has_value()) return {};
    prompts.emplace_back(std::move(*ids));
  }
  return prompts;
}

std::vector<Prompt> ReadPrompts(const LaxFields& fields) {
  const JsonValue prompt = *fields.Find("prompt");
  const std::string path = fields.Path("prompt");
  if (prompt.is(JsonKind::kString)) return {std::string(prompt.String())};
  if (!prompt.is(JsonKind::kArray)) {
    fields.errors()->AddType(path, kPromptTypes, prompt);
    return {};
  }
  if (prompt.size() == 0) return {};
  const JsonKind kind = prompt.At(0).kind();
  if (kind == JsonKind::kString || kind == JsonKind::kArray) {
    return ReadPromptList(prompt, path, fields.errors());
  }
  auto ids = ReadIds(prompt, path, fields.errors());
  if (!ids.has_value()) return {};
  return {std::move(*ids)};
}

}  // namespace

absl::StatusOr<OpenAiRequest> ParseCompletionRequest(std::string_view body,
                                                     const RequestParams& defaults) {
  ASSIGN_OR_RETURN(const JsonDocument document, ParseBody(body));
  RETURN_IF_ERROR(CheckCompletionRules(document.root()));

  FieldErrors errors;
  const LaxFields fields(document.root(), "body", &errors);
  OpenAiRequest request;
  request.generate.request = defaults;
  request.generate.prompts = ReadPrompts(fields);
  absl::Status value_error = ReadSharedFields(fields, &request);

  RequestParams& params = request.generate.request;
  if (!params.max_tokens.has_value()) params.max_tokens = kMaxTokensDefault;
  params.n = fields.Int("n", Null::kError).value_or(1);
  request.logprobs = fields.Int("logprobs");
  params.sampling.logprobs = request.logprobs;
  request.generate.echo = fields.Bool("echo").value_or(false);
  request.generate.add_special_tokens = fields.Bool("add_special_tokens", Null::kError);
  const absl::Status unsupported = CheckSupported(fields);
  if (value_error.ok() && *params.max_tokens < 1 && !request.generate.echo) {
    value_error = Wrong("max_tokens", "must be at least 1 (or 0 together with echo), got " +
                                          std::to_string(*params.max_tokens));
  }

  RETURN_IF_ERROR(errors.ToStatus());
  RETURN_IF_ERROR(value_error);
  RETURN_IF_ERROR(unsupported);
  return request;
}

}  // namespace engram
