// SPDX-License-Identifier: Apache-2.0
// The messages of a chat and what decides how they are rendered (request_fields.h).
#include <string>
#include <utility>

#include "base/field_error.h"
#include "config/limits.h"
#include "server/http/request_fields.h"

namespace engram {
namespace {

std::string Indexed(std::string_view path, std::size_t index) {
  return std::string(path) + '.' + std::to_string(index);
}

// "messages.0.content" for "body.messages.0.content": how errors about values name fields.
std::string WithoutBody(const std::string& path) {
  return path.substr(std::string("body.").size());
}

// The text of one part of a message's content.
absl::StatusOr<std::string> PartText(JsonValue part, const std::string& field) {
  if (!part.is(JsonKind::kObject)) {
    return Wrong(field, "must be an object with a type, got " + part.Describe());
  }
  const auto type = part.Find("type");
  if (!type.has_value() || !type->is(JsonKind::kString)) {
    return Wrong(field, "needs a 'type'");
  }
  if (type->String() != "text" && type->String() != "refusal") {
    return Wrong(field, "has the type '" + std::string(type->String().substr(0, 40)) +
                            "', but this model reads only text");
  }
  const auto text = part.Find(type->String());
  if (!text.has_value() || !text->is(JsonKind::kString)) {
    return Wrong(field, "needs a string in '" + std::string(type->String()) + "'");
  }
  return std::string(text->String());
}

// Parts are joined with a line break, as vLLM does.
absl::StatusOr<std::string> JoinedParts(JsonValue parts, const std::string& path) {
  std::string joined;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto text = PartText(parts.At(i), Indexed(WithoutBody(path), i));
    if (!text.ok()) return text;
    if (i > 0) joined += '\n';
    joined += *text;
  }
  return joined;
}

void ReadContent(const LaxFields& fields, ChatMessage* message, absl::Status* value_error) {
  const auto content = fields.object().Find("content");
  if (!content.has_value()) {
    // Only an assistant may have said nothing (but called tools).
    if (message->role != "assistant") message->content = "";
    return;
  }
  const std::string path = fields.Path("content");
  if (content->is(JsonKind::kString)) {
    message->content = std::string(content->String());
  } else if (content->is(JsonKind::kArray)) {
    auto joined = JoinedParts(*content, path);
    if (joined.ok()) {
      message->content = *std::move(joined);
    } else if (value_error->ok()) {
      *value_error = joined.status();
    }
  } else if (content->is(JsonKind::kObject)) {
    if (value_error->ok()) *value_error = Wrong(WithoutBody(path), "must not be an object");
  } else if (!content->is(JsonKind::kNull) || message->role != "assistant") {
    fields.errors()->AddType(path, "a string or a list of parts", *content);
  }
}

void ReadToolCalls(const LaxFields& fields, ChatMessage* message) {
  const auto calls = fields.Array("tool_calls");
  if (!calls.has_value()) return;
  for (std::size_t i = 0; i < calls->size(); ++i) {
    const std::string path = Indexed(fields.Path("tool_calls"), i);
    if (!calls->At(i).is(JsonKind::kObject)) {
      fields.errors()->AddType(path, "an object", calls->At(i));
      continue;
    }
    const LaxFields call(calls->At(i), path, fields.errors());
    const auto function = call.Object("function");
    if (!function.has_value()) {
      fields.errors()->Add(call.Path("function"), "is missing");
      continue;
    }
    message->tool_calls.push_back({.type = call.String("type").value_or("function"),
                                   .name = function->String("name", Null::kError).value_or(""),
                                   .arguments = function->String("arguments").value_or("")});
  }
}

}  // namespace

std::vector<ChatMessage> ReadMessages(const LaxFields& fields, absl::Status* value_error) {
  std::vector<ChatMessage> messages;
  const auto list = fields.object().Find("messages");
  if (!list.has_value() || !list->is(JsonKind::kArray)) {
    if (list.has_value()) {
      fields.errors()->AddType(fields.Path("messages"), "a list of messages", *list);
    } else {
      fields.errors()->Add(fields.Path("messages"), "is missing");
    }
    return messages;
  }
  if (list->size() == 0) *value_error = Wrong("messages", "must not be empty");
  if (list->size() > limits::kChatMessagesMax) {
    *value_error = Wrong(
        "messages", "must be at most " + std::to_string(limits::kChatMessagesMax) + " messages");
    return messages;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = Indexed(fields.Path("messages"), i);
    if (!list->At(i).is(JsonKind::kObject)) {
      fields.errors()->AddType(path, "an object", list->At(i));
      continue;
    }
    const LaxFields message(list->At(i), path, fields.errors());
    ChatMessage read;
    const auto role = message.object().Find("role");
    if (!role.has_value() || !role->is(JsonKind::kString)) {
      fields.errors()->Add(message.Path("role"), "must be a string");
      continue;
    }
    // OpenAI's newer name for the same thing.
    read.role = role->String() == "developer" ? "system" : std::string(role->String());
    ReadContent(message, &read, value_error);
    ReadToolCalls(message, &read);
    messages.push_back(std::move(read));
  }
  return messages;
}

absl::StatusOr<ChatOptions> ReadChatOptions(const LaxFields& fields) {
  ChatOptions options;
  options.add_generation_prompt = fields.Bool("add_generation_prompt", Null::kError).value_or(true);
  options.continue_final_message =
      fields.Bool("continue_final_message", Null::kError).value_or(false);
  // The template brings its own BOS; a second one would only hurt.
  fields.Bool("add_special_tokens", Null::kError);
  const auto kwargs = fields.Object("chat_template_kwargs");
  if (fields.Find("chat_template").has_value() ||
      (kwargs.has_value() && kwargs->Find("chat_template").has_value())) {
    return Unsupported("chat_template", "is not accepted: the checkpoint's own template is used");
  }
  if (options.add_generation_prompt && options.continue_final_message) {
    return Wrong("continue_final_message",
                 "cannot be combined with add_generation_prompt (which is true unless "
                 "set to false)");
  }
  return options;
}

}  // namespace engram
