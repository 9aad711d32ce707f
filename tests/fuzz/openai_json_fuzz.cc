// SPDX-License-Identifier: Apache-2.0
// Bodies of the OpenAI routes: whatever a client sends is a request or an error that names a field,
// and the error can be written as JSON again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/field_error.h"
#include "base/strings.h"
#include "config/limits.h"
#include "server/http/json_value.h"
#include "server/http/json_writer.h"
#include "server/http/openai_json.h"

namespace engram {
namespace {

// Longest that a message may get, whatever was sent.
constexpr std::size_t kMessageBytesMax = 16 << 10;

void CheckError(const absl::Status& status) {
  CHECK_EQ(static_cast<int>(status.code()), static_cast<int>(absl::StatusCode::kInvalidArgument));
  CHECK(FieldOf(status).has_value());
  const std::string message = Message(status);
  CHECK(!message.empty());
  CHECK_LT(message.size(), kMessageBytesMax);
  const std::string written =
      JsonWriter().BeginArray().String(message).String(*FieldOf(status)).EndArray().Take();
  CHECK(JsonDocument::Parse(written).ok());
}

template <typename Request>
void CheckBounds(const absl::StatusOr<Request>& request) {
  if (!request.ok()) CheckError(request.status());
}

void CheckGeneration(const absl::StatusOr<OpenAiRequest>& request) {
  if (!request.ok()) return CheckError(request.status());
  const RequestParams& params = request->generate.request;
  CHECK(!params.max_tokens.has_value() || *params.max_tokens >= 0);
  for (std::size_t i = 1; i < params.sampling.logit_bias.size(); ++i) {
    CHECK_LT(params.sampling.logit_bias[i - 1].first, params.sampling.logit_bias[i].first);
  }
  for (const Prompt& prompt : request->generate.prompts) {
    const auto* chat = std::get_if<ChatPrompt>(&prompt);
    CHECK(chat == nullptr ||
          (!chat->messages.empty() && chat->messages.size() <= limits::kChatMessagesMax));
  }
}

}  // namespace
}  // namespace engram

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  engram::CheckGeneration(engram::ParseCompletionRequest(body, {}));
  engram::CheckGeneration(engram::ParseChatRequest(body, {}));
  engram::CheckBounds(engram::ParseTokenizeRequest(body));
  engram::CheckBounds(engram::ParseDetokenizeRequest(body));
  return 0;
}
