// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/grpc_status.h"

#include <chrono>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/field_error.h"
#include "base/strings.h"
#include "config/limits.h"
#include "google/protobuf/any.pb.h"
#include "proto/engram/v1/error_details.pb.h"

namespace engram {
namespace {

constexpr char kDomain[] = "engram.v1";

bool RetryHelps(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
}

std::string Details(const absl::Status& status) {
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(Message(status));
  if (const auto field = FieldOf(status); field.has_value()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(*field);
    violation->set_description(Message(status));
    details.add_details()->PackFrom(bad_request);
  }
  if (const auto code = ErrorCodeOf(status); code.has_value()) {
    google::rpc::ErrorInfo info;
    info.set_reason(*code);
    info.set_domain(kDomain);
    details.add_details()->PackFrom(info);
  }
  if (RetryHelps(status)) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(limits::kRetryAfter.count());
    details.add_details()->PackFrom(retry);
  }
  return details.details_size() > 0 ? details.SerializeAsString() : "";
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), Message(status), Details(status)};
}

void AddRetryPushback(const absl::Status& status, grpc::ServerContextBase* context) {
  if (!RetryHelps(status)) return;
  const std::chrono::milliseconds wait = limits::kRetryAfter;
  context->AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(wait.count()));
}

std::string GrpcCodeName(grpc::StatusCode code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

}  // namespace engram
