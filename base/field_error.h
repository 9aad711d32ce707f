// SPDX-License-Identifier: Apache-2.0
// Errors that know which field of the request they are about, so that every transport can name it:
// "param" in an OpenAI error body, a BadRequest detail in gRPC.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace engram {

// InvalidArgument about `field` ("temperature", "messages[2].content").
absl::Status InvalidField(std::string_view field, std::string_view message);

// `status` with the field put on it.
absl::Status WithField(absl::Status status, std::string_view field);

// The field that `status` is about, if it says so.
std::optional<std::string> FieldOf(const absl::Status& status);

// A stable machine-readable word for the error ("context_length_exceeded", "queue_full", ...), for
// the "code" of an OpenAI error body.
absl::Status WithErrorCode(absl::Status status, std::string_view code);
std::optional<std::string> ErrorCodeOf(const absl::Status& status);

}  // namespace engram
