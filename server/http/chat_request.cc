// SPDX-License-Identifier: Apache-2.0
// The body of POST /v1/chat/completions (openai_json.h).
#include <algorithm>
#include <array>
#include <utility>

#include "base/field_error.h"
#include "base/status_macros.h"
#include "server/http/openai_json.h"
#include "server/http/request_fields.h"

namespace engram {
namespace {

absl::Status CheckChatRules(JsonValue body) {
  const auto top = body.Find("top_logprobs");
  const auto count = top.has_value() ? LaxInteger(*top) : std::nullopt;
  if (count.has_value() && *count < 0) {
    return Wrong("top_logprobs", "must not be negative, got " + std::to_string(*count));
  }
  const auto logprobs = body.Find("logprobs");
  const bool wanted = logprobs.has_value() && LaxBool(*logprobs).value_or(false);
  if (count.value_or(0) > 0 && !wanted) {
    return Wrong("top_logprobs", "needs logprobs=true");
  }
  return CheckRules(body);
}

// The names of the functions in "tools"; its types are checked on the way.
std::vector<std::string> ReadToolNames(const LaxFields& fields) {
  std::vector<std::string> names;
  const auto tools = fields.Array("tools");
  for (std::size_t i = 0; tools.has_value() && i < tools->size(); ++i) {
    const std::string path = fields.Path("tools") + '.' + std::to_string(i);
    if (!tools->At(i).is(JsonKind::kObject)) {
      fields.errors()->AddType(path, "an object", tools->At(i));
      continue;
    }
    const LaxFields tool(tools->At(i), path, fields.errors());
    const auto function = tool.Object("function");
    if (function.has_value()) {
      names.push_back(function->String("name", Null::kError).value_or(""));
    } else {
      fields.errors()->Add(tool.Path("function"), "is missing");
    }
  }
  return names;
}

// Tools are understood as far as they are switched off: the rest comes with a parser for calls.
absl::Status CheckTools(const LaxFields& fields) {
  const std::vector<std::string> names = ReadToolNames(fields);
  const auto choice = fields.Find("tool_choice");
  const bool none =
      choice.has_value() && choice->is(JsonKind::kString) && choice->String() == "none";
  if (none || (names.empty() && !choice.has_value())) return absl::OkStatus();
  if (names.empty()) return Wrong("tool_choice", "needs tools");
  if (choice.has_value() && choice->is(JsonKind::kObject)) {
    const auto function = choice->Find("function");
    const auto name = function.has_value() && function->is(JsonKind::kObject)
                          ? function->Find("name")
                          : std::nullopt;
    if (!name.has_value() || !name->is(JsonKind::kString) ||
        std::find(names.begin(), names.end(), name->String()) == names.end()) {
      return Wrong("tool_choice", "names none of the tools");
    }
  }
  return Unsupported("tools", "are not supported; send tool_choice='none' or no tools");
}

void CheckReasoning(const LaxFields& fields) {
  static constexpr std::array<std::string_view, 7> kEfforts = {"none", "minimal", "low", "medium",
                                                               "high", "xhigh",   "max"};
  fields.Bool("include_reasoning", Null::kError);
  const auto effort = fields.String("reasoning_effort");
  if (effort.has_value() &&
      std::find(kEfforts.begin(), kEfforts.end(), *effort) == kEfforts.end()) {
    fields.errors()->Add(fields.Path("reasoning_effort"),
                         "must be none, minimal, low, medium, high, xhigh or max");
  }
}

void ReadLogprobs(const LaxFields& fields, OpenAiRequest* request) {
  const bool wanted = fields.Bool("logprobs").value_or(false);
  const int top = fields.Int("top_logprobs").value_or(0);
  if (wanted) request->logprobs = top;
  request->generate.request.sampling.logprobs = request->logprobs;
}

}  // namespace

absl::StatusOr<OpenAiRequest> ParseChatRequest(std::string_view body,
                                               const RequestParams& defaults) {
  ASSIGN_OR_RETURN(const JsonDocument document, ParseBody(body));
  RETURN_IF_ERROR(CheckChatRules(document.root()));

  FieldErrors errors;
  const LaxFields fields(document.root(), "body", &errors);
  OpenAiRequest request;
  request.chat = true;
  request.generate.request = defaults;
  absl::Status value_error;
  ChatPrompt prompt;
  prompt.messages = ReadMessages(fields, &value_error);
  auto options = ReadChatOptions(fields);
  if (options.ok()) {
    prompt.options = *options;
  } else if (value_error.ok()) {
    value_error = options.status();
  }
  if (!prompt.options.add_generation_prompt && !prompt.messages.empty()) {
    request.role = prompt.messages.back().role;
  }
  request.generate.prompts.emplace_back(std::move(prompt));

  const absl::Status shared_error = ReadSharedFields(fields, &request);
  RequestParams& params = request.generate.request;
  if (const auto limit = fields.Int("max_completion_tokens")) params.max_tokens = *limit;
  params.n = fields.Int("n").value_or(1);
  ReadLogprobs(fields, &request);
  request.return_prompt_text = fields.Bool("return_prompt_text").value_or(false);
  CheckReasoning(fields);
  fields.Bool("parallel_tool_calls");
  const absl::Status tools_error = CheckTools(fields);
  const absl::Status unsupported = CheckSupported(fields);
  const bool echo = fields.Bool("echo", Null::kError).value_or(false);

  RETURN_IF_ERROR(errors.ToStatus());
  RETURN_IF_ERROR(value_error);
  RETURN_IF_ERROR(shared_error);
  RETURN_IF_ERROR(tools_error);
  if (params.max_tokens.has_value() && *params.max_tokens < 1) {
    return Wrong("max_tokens", "must be at least 1, got " + std::to_string(*params.max_tokens));
  }
  RETURN_IF_ERROR(unsupported);
  if (echo) {
    return Unsupported("echo", "is not supported for chats");
  }
  return request;
}

}  // namespace engram
