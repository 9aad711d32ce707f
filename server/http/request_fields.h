// SPDX-License-Identifier: Apache-2.0
// What the parsers of request bodies share: the fields of both kinds of generation, chat messages,
// and the fields that are refused because nothing behind them exists yet.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/http/lax_fields.h"
#include "server/http/openai_json.h"

namespace engram {

// InvalidArgument about `field`: "`field` `words`".
absl::Status Wrong(std::string_view field, std::string_view words);
// The same of code "unsupported": this server has nothing behind the field.
absl::Status Unsupported(std::string_view field, std::string_view words = "is not supported");

// Parses `body`, which must be an object.
absl::StatusOr<JsonDocument> ParseBody(std::string_view body);

// Rules between fields that are checked before any type, as vLLM does.
absl::Status CheckRules(JsonValue body);

// The fields that completions and chat share. Wrong types go to the fields' errors; a wrong value
// that only JSON can hold is returned.
absl::Status ReadSharedFields(const LaxFields& fields, OpenAiRequest* request);

// A field that asks for what this server does not do: InvalidArgument, code "unsupported".
absl::Status CheckSupported(const LaxFields& fields);

// "messages". `value_error` receives what is not a matter of types.
std::vector<ChatMessage> ReadMessages(const LaxFields& fields, absl::Status* value_error);

// "add_generation_prompt", "continue_final_message" and what else decides how messages are
// rendered.
absl::StatusOr<ChatOptions> ReadChatOptions(const LaxFields& fields);

}  // namespace engram
