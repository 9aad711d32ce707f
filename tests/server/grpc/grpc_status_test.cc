// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/grpc_status.h"

#include "base/field_error.h"
#include "gtest/gtest.h"
#include "proto/engram/v1/error_details.pb.h"

namespace engram {
namespace {

google::rpc::Status Details(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

TEST(GrpcStatusTest, CodesAreTheSame) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  const grpc::Status status = ToGrpcStatus(absl::NotFoundError("no such model"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no such model");
  EXPECT_EQ(status.error_details(), "");
  EXPECT_EQ(GrpcCodeName(grpc::StatusCode::RESOURCE_EXHAUSTED), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(GrpcCodeName(grpc::StatusCode::OK), "OK");
}

TEST(GrpcStatusTest, BadRequestNamesTheField) {
  const google::rpc::Status details =
      Details(ToGrpcStatus(InvalidField("temperature", "must be in [0, 2], got 3")));
  EXPECT_EQ(details.code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.BadRequest");
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(details.details(0).UnpackTo(&bad_request));
  ASSERT_EQ(bad_request.field_violations_size(), 1);
  EXPECT_EQ(bad_request.field_violations(0).field(), "temperature");
  EXPECT_EQ(bad_request.field_violations(0).description(), "must be in [0, 2], got 3");
}

TEST(GrpcStatusTest, ReasonAndRetry) {
  const google::rpc::Status details = Details(
      ToGrpcStatus(WithErrorCode(absl::ResourceExhaustedError("queue is full"), "queue_full")));
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "queue_full");
  EXPECT_EQ(info.domain(), "engram.v1");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
}

}  // namespace
}  // namespace engram
