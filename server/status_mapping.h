// SPDX-License-Identifier: Apache-2.0
// What an absl::Status is over HTTP: a status and an OpenAI-style error object. gRPC needs no
// table: its codes are Abseil's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace engram {

// Words for WithErrorCode (base/field_error.h) that this mapping knows.
inline constexpr std::string_view kInvalidTypeCode =
    "invalid_type";  // a field of the wrong JSON type
inline constexpr std::string_view kInvalidJsonCode = "invalid_json";

// The error object: {"message", "type", "param", "code", "reason"}.
struct HttpError {
  int status = 500;  // also the object's "code", as vLLM has it
  std::string type;  // "BadRequestError"; clients know vLLM's names
  std::string message;
  std::optional<std::string> param;  // the field it is about
  std::string reason;                // a stable word: "queue_full", "context_length_exceeded"
  bool retry_later = false;          // the same request may succeed soon: send Retry-After
};

// REQUIRES: `status` is not OK.
HttpError ToHttpError(const absl::Status& status);

// For what never became a status: unknown paths, wrong methods, broken HTTP.
HttpError HttpErrorFor(int status, std::string message);

}  // namespace engram
