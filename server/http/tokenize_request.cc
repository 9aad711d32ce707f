// SPDX-License-Identifier: Apache-2.0
// The bodies of POST /tokenize and POST /detokenize (openai_json.h).
#include <utility>

#include "base/status_macros.h"
#include "server/http/openai_json.h"
#include "server/http/request_fields.h"

namespace engram {

absl::StatusOr<TokenizeRequest> ParseTokenizeRequest(std::string_view body) {
  ASSIGN_OR_RETURN(const JsonDocument document, ParseBody(body));
  FieldErrors errors;
  const LaxFields fields(document.root(), "body", &errors);
  TokenizeRequest request;
  request.model = fields.String("model").value_or("");
  request.return_token_strs = fields.Bool("return_token_strs").value_or(false);
  absl::Status value_error;
  if (document.root().Find("messages").has_value() && !document.root().Find("prompt").has_value()) {
    ChatPrompt prompt;
    prompt.messages = ReadMessages(fields, &value_error);
    ASSIGN_OR_RETURN(prompt.options, ReadChatOptions(fields));
    request.prompt = std::move(prompt);
  } else {
    request.add_special_tokens = fields.Bool("add_special_tokens", Null::kError);
    const auto prompt = document.root().Find("prompt");
    if (prompt.has_value() && prompt->is(JsonKind::kString)) {
      request.prompt = std::string(prompt->String());
    } else if (prompt.has_value()) {
      errors.AddType(fields.Path("prompt"), "a string", *prompt);
    } else {
      errors.Add(fields.Path("prompt"), "or messages must be given");
    }
  }
  RETURN_IF_ERROR(errors.ToStatus());
  RETURN_IF_ERROR(value_error);
  return request;
}

absl::StatusOr<DetokenizeRequest> ParseDetokenizeRequest(std::string_view body) {
  ASSIGN_OR_RETURN(const JsonDocument document, ParseBody(body));
  FieldErrors errors;
  const LaxFields fields(document.root(), "body", &errors);
  DetokenizeRequest request;
  request.model = fields.String("model").value_or("");
  if (auto tokens = fields.TokenIds("tokens")) {
    request.tokens = std::move(*tokens);
  } else if (errors.empty()) {
    errors.Add(fields.Path("tokens"), "must be a list of token ids");
  }
  RETURN_IF_ERROR(errors.ToStatus());
  return request;
}

}  // namespace engram
