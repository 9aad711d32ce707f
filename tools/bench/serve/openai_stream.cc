// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/openai_stream.h"

#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

using Json = nlohmann::json;

const Json& At(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

std::string_view Text(const Json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

int Count(const Json& value) { return value.is_number_integer() ? value.get<int>() : 0; }

// The message's text and, if the server says, how many tokens it has.
void ReadChoice(double at_s, const Json& choice, AnswerChecker* checker) {
  const Json& delta = At(choice, "delta");
  std::string text(Text(delta.is_object() ? At(delta, "content") : At(choice, "text")));
  text += Text(At(delta, "reasoning_content"));
  const Json& ids = At(choice, "token_ids");
  const Json& delta_ids = ids.is_array() ? ids : At(delta, "token_ids");
  std::optional<int> tokens;
  if (delta_ids.is_array()) tokens = static_cast<int>(delta_ids.size());
  checker->OnMessage(at_s, text, tokens);
  if (At(choice, "finish_reason").is_string()) {
    checker->OnFinishReason(Text(At(choice, "finish_reason")));
  }
}

}  // namespace

void OpenAiStream::Feed(double at_s, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      rest_.append(bytes);
      return;
    }
    if (rest_.empty()) {
      OnLine(at_s, bytes.substr(0, end));
    } else {
      rest_.append(bytes.substr(0, end));
      OnLine(at_s, rest_);
      rest_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void OpenAiStream::OnLine(double at_s, std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  constexpr std::string_view kData = "data:";
  if (line.substr(0, kData.size()) != kData) return;  // blank, or a comment that keeps it alive
  line.remove_prefix(kData.size());
  if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  OnData(at_s, line);
}

void OpenAiStream::OnData(double at_s, std::string_view data) {
  if (checker_->done()) return checker_->Fail("bad_stream", "data after [DONE]");
  if (data == "[DONE]") return checker_->OnDone();
  const Json chunk = Json::parse(data, nullptr, /*allow_exceptions=*/false);
  if (!chunk.is_object()) return checker_->Fail("bad_stream", "an event is no JSON object");
  if (!At(chunk, "error").is_null()) return checker_->Fail("stream_error", ErrorMessage(data));
  if (At(chunk, "id").is_string()) checker_->OnId(Text(At(chunk, "id")));
  const Json& choices = At(chunk, "choices");
  if (choices.is_array()) {
    for (const Json& choice : choices) ReadChoice(at_s, choice, checker_);
  }
  const Json& usage = At(chunk, "usage");
  if (usage.is_object()) {
    checker_->OnUsage(Count(At(usage, "prompt_tokens")), Count(At(usage, "completion_tokens")));
  }
}

std::string ErrorMessage(std::string_view body) {
  const Json parsed = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  const Json& error = At(parsed, "error");
  const std::string_view message = error.is_string() ? Text(error) : Text(At(error, "message"));
  return std::string(message.empty() ? body.substr(0, 200) : message);
}

}  // namespace engram::bench
