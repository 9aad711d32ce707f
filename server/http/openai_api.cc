// SPDX-License-Identifier: Apache-2.0
#include "server/http/openai_api.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/field_error.h"
#include "server/http/json_writer.h"

namespace engram {
namespace {

std::int64_t UnixSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

HttpResponse Json(JsonWriter* json) { return {.status = 200, .headers = {}, .body = json->Take()}; }

// Fields that have another name in the body than in the engine's request.
absl::Status WithBodyField(absl::Status status, bool chat) {
  const auto field = FieldOf(status);
  if (!field.has_value()) return status;
  if (ErrorCodeOf(status) == "context_length_exceeded") return WithField(status, "input_tokens");
  if (chat && *field == "logprobs") return WithField(status, "top_logprobs");
  if (chat && *field == "prompt") return WithField(status, "messages");
  return status;
}

}  // namespace

OpenAiApi::OpenAiApi(OpenAiApiOptions options, const Frontend* frontend)
    : options_(std::move(options)), frontend_(frontend), started_(UnixSeconds()) {}

void OpenAiApi::WriteModelCard(JsonWriter* json, std::string_view name) const {
  json->BeginObject();
  json->StringField("id", name).StringField("object", "model");
  json->IntegerField("created", started_).StringField("owned_by", "engram");
  json->StringField("root", options_.model_root).NullField("parent");
  json->IntegerField("max_model_len", frontend_->options().limits.max_model_len);
  // OpenAI's old permission object; some clients insist on it.
  json->Key("permission").BeginArray().BeginObject();
  json->StringField("id", "modelperm-" + std::string(name));
  json->StringField("object", "model_permission").IntegerField("created", started_);
  json->BoolField("allow_create_engine", false).BoolField("allow_sampling", true);
  json->BoolField("allow_logprobs", true).BoolField("allow_search_indices", false);
  json->BoolField("allow_view", true).BoolField("allow_fine_tuning", false);
  json->StringField("organization", "*").NullField("group").BoolField("is_blocking", false);
  json->EndObject().EndArray();
  if (!options_.engram_layers.empty()) {
    json->Key("engram").BeginObject().Key("layers").BeginArray();
    for (const int layer : options_.engram_layers) json->Integer(layer);
    json->EndArray().IntegerField("streams", options_.engram_streams).EndObject();
  }
  json->EndObject();
}

void OpenAiApi::ListModels(const Scope& scope) const {
  JsonWriter json;
  json.BeginObject().StringField("object", "list").Key("data").BeginArray();
  WriteModelCard(&json, frontend_->options().model_name);
  for (const std::string& alias : frontend_->options().model_aliases) WriteModelCard(&json, alias);
  json.EndArray().EndObject();
  scope->Respond(Json(&json));
}

void OpenAiApi::GetModel(const Scope& scope, std::string_view id) const {
  if (const absl::Status status = frontend_->CheckModel(id); !status.ok()) {
    return scope->RespondError(status);
  }
  JsonWriter json;
  WriteModelCard(&json, id);
  scope->Respond(Json(&json));
}

void OpenAiApi::Completions(const Scope& scope) {
  Generate(scope, ParseCompletionRequest(scope->request().body, frontend_->DefaultRequest()));
}

void OpenAiApi::ChatCompletions(const Scope& scope) {
  Generate(scope, ParseChatRequest(scope->request().body, frontend_->DefaultRequest()));
}

void OpenAiApi::Generate(const Scope& scope, absl::StatusOr<OpenAiRequest> parsed) {
  if (!parsed.ok()) return scope->RespondError(parsed.status());
  OpenAiRequest request = *std::move(parsed);
  scope->SetIdFromBody(request.request_id);
  if (const absl::Status status = frontend_->CheckModel(request.model); !status.ok()) {
    return scope->RespondError(status);
  }
  request.generate.request.id = scope->id();
  GenerateParams params = std::move(request.generate);
  // The answer's writer looks at everything but the prompts and stop strings.
  request.generate = GenerateParams{.prompts = {},
                                    .request = params.request,
                                    .stop = {},
                                    .add_special_tokens = std::nullopt,
                                    .time_limit_ms = std::nullopt,
                                    .echo = params.echo,
                                    .truncate_prompt_tokens = std::nullopt};
  auto generation = frontend_->Generate(std::move(params));
  if (!generation.ok()) {
    return scope->RespondError(WithBodyField(generation.status(), request.chat));
  }
  AnswerContext context{.id = (request.chat ? "chatcmpl-" : "cmpl-") + scope->id(),
                        .created = UnixSeconds(),
                        .model = frontend_->options().model_name,
                        .fingerprint = options_.fingerprint,
                        .tokenizer = &frontend_->tokenizer(),
                        .request = std::move(request)};
  GenerationTask::Start(scope, std::move(context), *std::move(generation), &in_flight_);
}

void OpenAiApi::Tokenize(const Scope& scope) const {
  const auto request = ParseTokenizeRequest(scope->request().body);
  if (!request.ok()) return scope->RespondError(request.status());
  if (const absl::Status status = frontend_->CheckModel(request->model); !status.ok()) {
    return scope->RespondError(status);
  }
  const auto ids = frontend_->Tokenize(request->prompt, request->add_special_tokens);
  if (!ids.ok()) {
    const bool chat = std::holds_alternative<ChatPrompt>(request->prompt);
    return scope->RespondError(WithBodyField(ids.status(), chat));
  }
  JsonWriter json;
  json.BeginObject();
  json.IntegerField("count", static_cast<std::int64_t>(ids->size()));
  json.IntegerField("max_model_len", frontend_->options().limits.max_model_len);
  json.Key("tokens").Integers(*ids);
  json.Key("token_strs");
  if (request->return_token_strs) {
    json.BeginArray();
    for (const std::int32_t id : *ids) json.String(frontend_->tokenizer().TokenString(id));
    json.EndArray();
  } else {
    json.Null();
  }
  json.EndObject();
  scope->Respond(Json(&json));
}

void OpenAiApi::Detokenize(const Scope& scope) const {
  const auto request = ParseDetokenizeRequest(scope->request().body);
  if (!request.ok()) return scope->RespondError(request.status());
  if (const absl::Status status = frontend_->CheckModel(request->model); !status.ok()) {
    return scope->RespondError(status);
  }
  const auto text = frontend_->Detokenize(request->tokens);
  if (!text.ok()) return scope->RespondError(text.status());
  JsonWriter json;
  json.BeginObject().StringField("prompt", *text).EndObject();
  scope->Respond(Json(&json));
}

}  // namespace engram
