// SPDX-License-Identifier: Apache-2.0
#include "server/status_mapping.h"

#include "base/field_error.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(StatusMapping, EveryCodeHasAStatusAndAType) {
  using absl::StatusCode;
  struct Case {
    StatusCode code;
    int status;
    const char* type;
    bool retry;
  };
  for (const Case& c : {
           Case{StatusCode::kInvalidArgument, 400, "BadRequestError", false},
           Case{StatusCode::kFailedPrecondition, 400, "BadRequestError", false},
           Case{StatusCode::kUnimplemented, 400, "BadRequestError", false},
           Case{StatusCode::kUnauthenticated, 401, "AuthenticationError", false},
           Case{StatusCode::kPermissionDenied, 403, "PermissionDeniedError", false},
           Case{StatusCode::kNotFound, 404, "NotFoundError", false},
           Case{StatusCode::kResourceExhausted, 429, "RateLimitError", true},
           Case{StatusCode::kUnavailable, 503, "Service Unavailable", true},
           Case{StatusCode::kDeadlineExceeded, 504, "TimeoutError", false},
           Case{StatusCode::kInternal, 500, "InternalServerError", false},
           Case{StatusCode::kUnknown, 500, "InternalServerError", false},
       }) {
    const HttpError error = ToHttpError(absl::Status(c.code, "words"));
    EXPECT_EQ(error.status, c.status);
    EXPECT_EQ(error.type, c.type);
    EXPECT_EQ(error.retry_later, c.retry) << c.status;
    EXPECT_EQ(error.message, "words");
    EXPECT_FALSE(error.param.has_value());
    EXPECT_FALSE(error.reason.empty());
  }
}

TEST(StatusMapping, CarriesFieldAndReason) {
  const HttpError error = ToHttpError(
      WithErrorCode(InvalidField("input_tokens", "too long"), "context_length_exceeded"));
  EXPECT_EQ(error.status, 400);
  EXPECT_EQ(error.param, "input_tokens");
  EXPECT_EQ(error.reason, "context_length_exceeded");
}

TEST(StatusMapping, TypeErrorsAreSpelledAsVllmDoes) {
  for (const std::string_view code : {kInvalidTypeCode, kInvalidJsonCode}) {
    const HttpError error = ToHttpError(WithErrorCode(InvalidField("body.n", "wrong"), code));
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.type, "Bad Request");
    EXPECT_EQ(error.param, "body.n");
  }
}

TEST(StatusMapping, AStatusThatNobodyKnowsIsOurFault) {
  EXPECT_EQ(HttpErrorFor(299, "words").status, 500);
  EXPECT_EQ(HttpErrorFor(431, "words").type, "HeaderFieldsTooLargeError");
}

}  // namespace
}  // namespace engram
