// SPDX-License-Identifier: Apache-2.0
// Messages of proto/engram/v1 to and from what the frontend takes and gives. Checks nothing that
// the frontend checks; only puts the proto's own names on its errors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/engram/v1/generation.pb.h"
#include "server/frontend.h"

namespace engram {

namespace pb = ::engram::v1;

// What of an answer the client asked for.
struct ResponseShape {
  bool logprobs = false;
  bool prompt_logprobs = false;
  bool prompt_token_ids = false;
  bool gates = false;
  bool prompt_only = false;  // max_tokens 0: the answer has no text
};

ResponseShape ShapeOf(const pb::GenerateRequest& request);

// `params.request` starts as the frontend's defaults. InvalidArgument without an input.
absl::StatusOr<GenerateParams> ToGenerateParams(const pb::GenerateRequest& request,
                                                RequestParams defaults);
// InvalidArgument without an input.
absl::StatusOr<Prompt> ToPrompt(const pb::TokenizeRequest& request);

// `status` with its field as a path in the request message: the frontend says "messages[2].content"
// and "prompt[7]", the client sent chat.messages[2].content and token_ids.ids[7].
absl::Status WithProtoField(absl::Status status, pb::GenerateRequest::InputCase input);
absl::Status WithProtoField(absl::Status status, pb::TokenizeRequest::InputCase input);
// The same for a DetokenizeRequest, whose ids the frontend calls "tokens".
absl::Status WithDetokenizeField(absl::Status status);

pb::FinishReason ToFinishReason(FinishReason reason);

// Appends what `delta` adds to the choice.
void AppendDelta(const TextDelta& delta, const ResponseShape& shape, pb::Choice* choice);

// Fills in what was asked for. `result` may be null: the prompt has not been computed.
void FillPromptInfo(const std::vector<std::int32_t>& prompt_tokens, const PromptResult* result,
                    const ResponseShape& shape, pb::PromptInfo* info);

void FillUsage(const Usage& usage, pb::Usage* out);

}  // namespace engram
