// SPDX-License-Identifier: Apache-2.0
#include "base/field_error.h"

#include "absl/strings/cord.h"
#include "base/strings.h"

namespace engram {
namespace {

constexpr char kFieldUrl[] = "engram/field";
constexpr char kCodeUrl[] = "engram/code";

std::optional<std::string> Payload(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

}  // namespace

absl::Status InvalidField(std::string_view field, std::string_view message) {
  return WithField(absl::InvalidArgumentError(ToAbsl(message)), field);
}

absl::Status WithField(absl::Status status, std::string_view field) {
  status.SetPayload(kFieldUrl, absl::Cord(ToAbsl(field)));
  return status;
}

std::optional<std::string> FieldOf(const absl::Status& status) {
  return Payload(status, kFieldUrl);
}

absl::Status WithErrorCode(absl::Status status, std::string_view code) {
  status.SetPayload(kCodeUrl, absl::Cord(ToAbsl(code)));
  return status;
}

std::optional<std::string> ErrorCodeOf(const absl::Status& status) {
  return Payload(status, kCodeUrl);
}

}  // namespace engram
