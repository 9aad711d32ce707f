// SPDX-License-Identifier: Apache-2.0
#include "server/status_mapping.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "base/field_error.h"
#include "base/strings.h"

namespace engram {
namespace {

struct Kind {
  int status;
  std::string_view type;    // vLLM's where it has one
  std::string_view reason;  // unless the error brings its own
};

constexpr std::array kKinds = {
    Kind{400, "BadRequestError", "invalid_request"},
    Kind{401, "AuthenticationError", "invalid_api_key"},
    Kind{403, "PermissionDeniedError", "permission_denied"},
    Kind{404, "NotFoundError", "not_found"},
    Kind{405, "MethodNotAllowedError", "method_not_allowed"},
    Kind{408, "RequestTimeoutError", "request_timeout"},
    Kind{409, "ConflictError", "conflict"},
    Kind{413, "ContentTooLargeError", "body_too_large"},
    Kind{414, "UriTooLongError", "uri_too_long"},
    Kind{415, "UnsupportedMediaTypeError", "unsupported_media_type"},
    Kind{417, "ExpectationFailedError", "expectation_failed"},
    Kind{429, "RateLimitError", "overloaded"},
    Kind{431, "HeaderFieldsTooLargeError", "headers_too_large"},
    Kind{499, "ClientClosedRequestError", "client_gone"},
    Kind{500, "InternalServerError", "internal_error"},
    Kind{501, "NotImplementedError", "not_implemented"},
    Kind{503, "Service Unavailable", "unavailable"},
    Kind{504, "TimeoutError", "deadline_exceeded"},
};

int HttpStatus(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    // Clients retry a 501, and what is not implemented stays so.
    case absl::StatusCode::kUnimplemented:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

}  // namespace

HttpError HttpErrorFor(int status, std::string message) {
  for (const Kind& kind : kKinds) {
    if (kind.status != status) continue;
    return {.status = status,
            .type = std::string(kind.type),
            .message = std::move(message),
            .param = std::nullopt,
            .reason = std::string(kind.reason),
            .retry_later = status == 429 || status == 503};
  }
  return HttpErrorFor(500, std::move(message));
}

HttpError ToHttpError(const absl::Status& status) {
  CHECK(!status.ok());
  HttpError error = HttpErrorFor(HttpStatus(status.code()), Message(status));
  error.param = FieldOf(status);
  if (const auto code = ErrorCodeOf(status)) {
    error.reason = *code;
    // vLLM's spelling for what is wrong before the values are looked at.
    if (*code == kInvalidTypeCode || *code == kInvalidJsonCode) error.type = "Bad Request";
  }
  return error;
}

}  // namespace engram
