// SPDX-License-Identifier: Apache-2.0
#include "server/http/request_fields.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/field_error.h"
#include "base/status_macros.h"
#include "config/limits.h"
#include "server/status_mapping.h"

namespace engram {
namespace {

// Takes a field's value if the client gave one.
template <typename To, typename From>
void Assign(To* to, const std::optional<From>& from) {
  if (from.has_value()) *to = static_cast<To>(*from);
}
template <typename To, typename From>
void Assign(std::optional<To>* to, const std::optional<From>& from) {
  if (from.has_value()) *to = static_cast<To>(*from);
}

bool IsTrue(JsonValue body, std::string_view name) {
  const auto value = body.Find(name);
  return value.has_value() && LaxBool(*value).value_or(false);
}

// The field, unless absent or null.
std::optional<JsonValue> Given(JsonValue body, std::string_view name) {
  const auto value = body.Find(name);
  if (!value.has_value() || value->is(JsonKind::kNull)) return std::nullopt;
  return value;
}

absl::Status CheckNotNegative(JsonValue body, std::string_view name) {
  const auto value = Given(body, name);
  if (!value.has_value()) return absl::OkStatus();
  const auto number = LaxInteger(*value);
  if (number.has_value() && *number < 0) {
    return Wrong(name, "must not be negative, got " + std::to_string(*number));
  }
  return absl::OkStatus();
}

std::vector<std::string> ReadStop(const LaxFields& fields) {
  const auto value = fields.Find("stop");
  if (!value.has_value()) return {};
  if (value->is(JsonKind::kString)) return {std::string(value->String())};
  std::vector<std::string> stops;
  bool all_strings = value->is(JsonKind::kArray);
  for (std::size_t i = 0; all_strings && i < value->size(); ++i) {
    all_strings = value->At(i).is(JsonKind::kString);
    if (all_strings) stops.emplace_back(value->At(i).String());
  }
  if (!all_strings) {
    fields.errors()->AddType(fields.Path("stop"), "a string or a list of strings", *value);
  }
  return stops;
}

absl::Status ReadLogitBias(const LaxFields& fields, SamplingParams* sampling) {
  constexpr double kBiasMax = 100;
  const auto object = fields.Object("logit_bias");
  if (!object.has_value()) return absl::OkStatus();
  std::map<std::int32_t, float> biases;
  for (const auto& [key, value] : object->object().Members()) {
    const auto id = IntegerFromText(key);
    if (!id.has_value()) {
      return Wrong("logit_bias",
                   "has the key '" + std::string(key.substr(0, 40)) + "', which is no token id");
    }
    const auto bias = LaxNumber(value);
    if (!bias.has_value()) {
      fields.errors()->AddType(object->Path(key), "a number", value);
      continue;
    }
    const auto token = static_cast<std::int32_t>(std::clamp<std::int64_t>(*id, -1, INT32_MAX));
    biases[token] = static_cast<float>(std::clamp(*bias, -kBiasMax, kBiasMax));
  }
  sampling->logit_bias.assign(biases.begin(), biases.end());
  return absl::OkStatus();
}

absl::Status ReadAllowedTokens(const LaxFields& fields, SamplingParams* sampling) {
  auto ids = fields.TokenIds("allowed_token_ids");
  if (!ids.has_value()) return absl::OkStatus();
  if (ids->empty()) return Wrong("allowed_token_ids", "must not be empty");
  std::sort(ids->begin(), ids->end());
  ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
  sampling->allowed_token_ids = std::move(*ids);
  return absl::OkStatus();
}

void ReadSampling(const LaxFields& fields, SamplingParams* sampling) {
  Assign(&sampling->temperature, fields.Number("temperature"));
  Assign(&sampling->top_p, fields.Number("top_p"));
  Assign(&sampling->min_p, fields.Number("min_p"));
  Assign(&sampling->repetition_penalty, fields.Number("repetition_penalty"));
  Assign(&sampling->presence_penalty, fields.Number("presence_penalty"));
  Assign(&sampling->frequency_penalty, fields.Number("frequency_penalty"));
  if (const auto top_k = fields.Int("top_k")) sampling->top_k = *top_k == -1 ? 0 : *top_k;
}

void ReadSeed(const LaxFields& fields, RequestParams* request) {
  const auto seed = fields.Integer("seed");
  if (!seed.has_value()) return;
  const auto value = fields.Find("seed");
  if (value->is(JsonKind::kInteger) && !value->FitsInt64()) {
    fields.errors()->AddType(fields.Path("seed"), "at most 9223372036854775807", *value);
  }
  request->seed = static_cast<std::uint64_t>(*seed);
}

void ReadStreaming(const LaxFields& fields, OpenAiRequest* request) {
  Assign(&request->stream, fields.Bool("stream"));
  if (const auto options = fields.Object("stream_options")) {
    Assign(&request->include_usage, options->Bool("include_usage"));
    Assign(&request->continuous_usage, options->Bool("continuous_usage_stats"));
    request->continuous_usage = request->continuous_usage && request->include_usage;
  }
}

void ReadEngram(const LaxFields& fields, RequestParams* request) {
  if (const auto engram = fields.Object("engram")) {
    Assign(&request->engram_enabled, engram->Bool("enabled", Null::kError));
    Assign(&request->engram_gates, engram->Bool("gates", Null::kError));
  }
}

absl::Status CheckResponseFormat(const LaxFields& fields) {
  const auto format = fields.Object("response_format");
  if (!format.has_value()) return absl::OkStatus();
  const auto type = format->object().Find("type");
  const std::string_view name =
      type.has_value() && type->is(JsonKind::kString) ? type->String() : std::string_view();
  if (name == "text") return absl::OkStatus();
  if (name == "json_object" || name == "json_schema" || name == "structural_tag") {
    return Unsupported("response_format", "only the type 'text' is supported");
  }
  fields.errors()->Add(format->Path("type"),
                       "must be 'text', 'json_object', 'json_schema' or 'structural_tag'");
  return absl::OkStatus();
}

}  // namespace

absl::Status Wrong(std::string_view field, std::string_view words) {
  std::string message(field);
  message.append(" ").append(words);
  return InvalidField(field, message);
}

absl::Status Unsupported(std::string_view field, std::string_view words) {
  return WithErrorCode(Wrong(field, words), "unsupported");
}

absl::StatusOr<JsonDocument> ParseBody(std::string_view body) {
  FieldErrors errors;
  if (body.empty()) {
    errors.Add("body", "must be a JSON object, got nothing");
    return errors.ToStatus();
  }
  ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(body));
  if (!document.root().is(JsonKind::kObject)) {
    errors.AddType("body", "a JSON object", document.root());
    return errors.ToStatus();
  }
  return document;
}

absl::Status CheckRules(JsonValue body) {
  if (Given(body, "stream_options").has_value() && !IsTrue(body, "stream")) {
    return Wrong("stream_options", "may only be given together with stream=true");
  }
  RETURN_IF_ERROR(CheckNotNegative(body, "prompt_logprobs"));
  if (Given(body, "prompt_logprobs").has_value() && IsTrue(body, "stream")) {
    return Wrong("prompt_logprobs", "is not available together with stream=true");
  }
  const auto salt = Given(body, "cache_salt");
  if (salt.has_value() && salt->is(JsonKind::kString) && salt->String().empty()) {
    return Wrong("cache_salt", "must not be empty");
  }
  return absl::OkStatus();
}

absl::Status ReadSharedFields(const LaxFields& fields, OpenAiRequest* request) {
  GenerateParams& generate = request->generate;
  RequestParams& params = generate.request;
  Assign(&request->model, fields.String("model"));
  Assign(&request->request_id, fields.String("request_id", Null::kError));
  ReadStreaming(fields, request);
  Assign(&request->return_token_ids, fields.Bool("return_token_ids"));
  Assign(&request->tokens_as_ids, fields.Bool("return_tokens_as_token_ids"));

  Assign(&params.max_tokens, fields.Int("max_tokens"));
  ReadSampling(fields, &params.sampling);
  ReadSeed(fields, &params);
  Assign(&params.min_tokens, fields.Int("min_tokens", Null::kError));
  Assign(&params.ignore_eos, fields.Bool("ignore_eos", Null::kError));
  Assign(&params.stop_token_ids, fields.TokenIds("stop_token_ids"));
  Assign(&params.priority, fields.Int("priority", Null::kError));
  Assign(&params.cache_salt, fields.String("cache_salt"));
  request->prompt_logprobs = fields.Int("prompt_logprobs");
  params.prompt_logprobs = request->prompt_logprobs;
  ReadEngram(fields, &params);

  generate.stop = ReadStop(fields);
  Assign(&generate.include_stop_str_in_output,
         fields.Bool("include_stop_str_in_output", Null::kError));
  Assign(&generate.skip_special_tokens, fields.Bool("skip_special_tokens", Null::kError));
  Assign(&generate.truncate_prompt_tokens, fields.Int("truncate_prompt_tokens"));
  Assign(&generate.time_limit_ms, fields.Integer("time_limit_ms"));
  if (const auto side = fields.String("truncation_side")) {
    generate.truncate_right = *side == "right";
    if (*side != "left" && *side != "right") {
      fields.errors()->Add(fields.Path("truncation_side"), "must be 'left' or 'right'");
    }
  }
  // Accepted and without effect: there is one model and no beam search, and decoding never puts
  // blanks between tokens.
  fields.String("user");
  fields.Number("length_penalty", Null::kError);
  fields.Bool("spaces_between_special_tokens", Null::kError);

  RETURN_IF_ERROR(ReadAllowedTokens(fields, &params.sampling));
  return ReadLogitBias(fields, &params.sampling);
}

absl::Status CheckSupported(const LaxFields& fields) {
  static constexpr std::string_view kRefused[] = {
      "prompt_embeds",       "structured_outputs",   "thinking_token_budget",
      "mm_processor_kwargs", "repetition_detection", "logprob_token_ids",
  };
  static constexpr std::string_view kRefusedIfTrue[] = {
      "use_beam_search",
      "watermarking",
      "return_token_offsets",
  };
  RETURN_IF_ERROR(CheckResponseFormat(fields));
  for (const std::string_view name : kRefused) {
    if (fields.Find(name).has_value()) return Unsupported(name);
  }
  for (const std::string_view name : kRefusedIfTrue) {
    if (fields.Bool(name).value_or(false)) return Unsupported(name);
  }
  const auto bad_words = fields.Array("bad_words");
  if (bad_words.has_value() && bad_words->size() > 0) {
    return Unsupported("bad_words");
  }
  return absl::OkStatus();
}

}  // namespace engram
