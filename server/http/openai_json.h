// SPDX-License-Identifier: Apache-2.0
// The bodies that clients send to the OpenAI routes, as structs. Types are checked here, every
// ill-typed field named; what values make sense is the frontend's and Request::Create's business.
// docs/API.md lists the fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/request.h"
#include "server/frontend.h"

namespace engram {

struct OpenAiRequest {
  std::string model;       // empty: the server's own
  std::string request_id;  // empty: the client gave none
  GenerateParams generate;

  // How the answer is written.
  bool chat = false;
  std::string role = "assistant";  // chat: of the answer
  bool stream = false;
  bool include_usage = false;     // a last chunk with the usage
  bool continuous_usage = false;  // and one with every chunk
  bool return_token_ids = false;
  bool return_prompt_text = false;
  bool tokens_as_ids = false;  // logprobs name tokens "token_id:17"
  std::optional<int> logprobs;
  std::optional<int> prompt_logprobs;
};

struct TokenizeRequest {
  std::string model;
  Prompt prompt;
  std::optional<bool> add_special_tokens;
  bool return_token_strs = false;
};

struct DetokenizeRequest {
  std::string model;
  std::vector<std::int32_t> tokens;
};

// All: InvalidArgument with the field (base/field_error.h). A field of the wrong type has the code
// "invalid_type" and a path ("body.max_tokens"), a wrong value the bare name ("max_tokens").
// `defaults` is what a client gets that says nothing.
absl::StatusOr<OpenAiRequest> ParseCompletionRequest(std::string_view body,
                                                     const RequestParams& defaults);
absl::StatusOr<OpenAiRequest> ParseChatRequest(std::string_view body,
                                               const RequestParams& defaults);
absl::StatusOr<TokenizeRequest> ParseTokenizeRequest(std::string_view body);
absl::StatusOr<DetokenizeRequest> ParseDetokenizeRequest(std::string_view body);

}  // namespace engram
