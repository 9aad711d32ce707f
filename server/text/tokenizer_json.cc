// SPDX-License-Identifier: Apache-2.0
// See tokenizer_json.h. Keys that have no effect on ids are not looked at: truncation and padding
// (the server has its own limits), unk_token, fuse_unk and byte_fallback (a vocabulary with all
// bytes, which Bpe demands, has no unknown characters).
#include "server/text/tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "config/limits.h"
#include "server/text/json_depth.h"

namespace engram {
namespace {

using Json = nlohmann::json;

// GPT-2's pattern: what ByteLevel does by itself with "use_regex".
constexpr std::string_view kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

absl::Status Wrong(std::string_view key, std::string_view expected, const Json& found) {
  std::string shown = found.is_structured() ? found.type_name() : found.dump(-1, ' ', true);
  if (shown.size() > 60) shown = shown.substr(0, 60) + "…";
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: expected %s, found %s", key, expected, shown));
}

absl::Status Unsupported(std::string_view key, const Json& found, std::string_view supported) {
  std::string shown = found.dump(-1, ' ', true);
  if (shown.size() > 60) shown = shown.substr(0, 60) + "…";
  return absl::UnimplementedError(
      absl::StrFormat("%s: %s is not supported; supported: %s", key, shown, supported));
}

std::string Dotted(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : absl::StrFormat("%s.%s", path, key);
}

// The member `key` of an object; null if it is absent.
const Json& Member(const Json& object, const char* key) {
  static const Json kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

absl::StatusOr<bool> BoolOr(const Json& object, std::string_view path, const char* key,
                            bool if_absent) {
  const Json& value = Member(object, key);
  if (value.is_null()) return if_absent;
  if (!value.is_boolean()) return Wrong(Dotted(path, key), "true or false", value);
  return value.get<bool>();
}

absl::StatusOr<std::string> StringAt(const Json& object, std::string_view path, const char* key) {
  const Json& value = Member(object, key);
  if (!value.is_string()) return Wrong(Dotted(path, key), "a string", value);
  return value.get<std::string>();
}

absl::StatusOr<std::int32_t> TokenId(const Json& value, std::string_view key) {
  const bool is_id = value.is_number_unsigned() && value.get<std::uint64_t>() < limits::kVocabMax;
  if (!is_id)
    return Wrong(key, absl::StrFormat("an id from 0 to %d", limits::kVocabMax - 1), value);
  return value.get<std::int32_t>();
}

absl::StatusOr<Json> ParseObject(std::string_view text) {
  if (JsonDepth(text) > limits::kJsonDepthMax) {
    return absl::InvalidArgumentError(
        absl::StrFormat("nests more than %d deep", limits::kJsonDepthMax));
  }
  try {
    Json json = Json::parse(text);
    if (!json.is_object()) return Wrong("the file", "an object", json);
    return json;
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrFormat("not JSON: %s", error.what()));
  }
}

// ---- model ----

absl::Status ReadVocabulary(const Json& model, TokenizerJson& out) {
  const Json& vocab = Member(model, "vocab");
  if (!vocab.is_object()) return Wrong("model.vocab", "an object", vocab);
  out.vocabulary.reserve(vocab.size());
  for (const auto& [token, value] : vocab.items()) {
    const bool is_id = value.is_number_unsigned() && value.get<std::uint64_t>() < limits::kVocabMax;
    if (!is_id || token.empty()) {
      const std::string key = absl::StrFormat("model.vocab[\"%s\"]", token);
      if (token.empty()) return Wrong(key, "no empty token", value);
      return TokenId(value, key).status();
    }
    out.vocabulary.emplace_back(token, value.get<std::int32_t>());
  }
  return absl::OkStatus();
}

// "Ġ t" in older files, ["Ġ", "t"] in newer ones.
absl::Status ReadMerges(const Json& model, TokenizerJson& out) {
  const Json& merges = Member(model, "merges");
  if (!merges.is_array()) return Wrong("model.merges", "an array", merges);
  out.merges.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const Json& merge = merges[i];
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      out.merges.emplace_back(merge[0].get_ref<const std::string&>(),
                              merge[1].get_ref<const std::string&>());
      continue;
    }
    const std::string text = merge.is_string() ? merge.get<std::string>() : "";
    const std::size_t blank = text.find(' ');
    if (blank == std::string::npos || text.find(' ', blank + 1) != std::string::npos) {
      return Wrong(absl::StrFormat("model.merges[%d]", i), "two tokens", merge);
    }
    out.merges.emplace_back(text.substr(0, blank), text.substr(blank + 1));
  }
  return absl::OkStatus();
}

absl::Status ReadModel(const Json& root, TokenizerJson& out) {
  const Json& model = Member(root, "model");
  if (!model.is_object()) return Wrong("model", "an object", model);
  if (Member(model, "type") != "BPE") {
    return Unsupported("model.type", Member(model, "type"), "\"BPE\"");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json& affix = Member(model, key);
    if (!affix.is_null() && affix != "") return Unsupported(Dotted("model", key), affix, "null");
  }
  const Json& dropout = Member(model, "dropout");
  if (!dropout.is_null() && dropout != 0.0) return Unsupported("model.dropout", dropout, "null");
  ASSIGN_OR_RETURN(out.ignore_merges, BoolOr(model, "model", "ignore_merges", false));
  RETURN_IF_ERROR(ReadVocabulary(model, out));
  return ReadMerges(model, out);
}

// ---- added_tokens ----

absl::StatusOr<AddedToken> ReadAddedToken(const Json& json, const std::string& path) {
  if (!json.is_object()) return Wrong(path, "an object", json);
  AddedToken token;
  ASSIGN_OR_RETURN(token.content, StringAt(json, path, "content"));
  if (token.content.empty()) return Wrong(path + ".content", "a text", json["content"]);
  ASSIGN_OR_RETURN(token.id, TokenId(Member(json, "id"), path + ".id"));
  ASSIGN_OR_RETURN(token.special, BoolOr(json, path, "special", false));
  ASSIGN_OR_RETURN(token.single_word, BoolOr(json, path, "single_word", false));
  ASSIGN_OR_RETURN(token.lstrip, BoolOr(json, path, "lstrip", false));
  ASSIGN_OR_RETURN(token.rstrip, BoolOr(json, path, "rstrip", false));
  ASSIGN_OR_RETURN(token.normalized, BoolOr(json, path, "normalized", !token.special));
  return token;
}

absl::Status ReadAddedTokens(const Json& root, TokenizerJson& out) {
  const Json& tokens = Member(root, "added_tokens");
  if (tokens.is_null()) return absl::OkStatus();
  if (!tokens.is_array()) return Wrong("added_tokens", "an array", tokens);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    ASSIGN_OR_RETURN(AddedToken token,
                     ReadAddedToken(tokens[i], absl::StrFormat("added_tokens[%d]", i)));
    out.added_tokens.push_back(std::move(token));
  }
  return absl::OkStatus();
}

// ---- normalizer, pre_tokenizer, decoder ----

absl::Status CheckNormalizer(const Json& root) {
  const Json& normalizer = Member(root, "normalizer");
  if (normalizer.is_null()) return absl::OkStatus();
  if (!normalizer.is_object()) return Wrong("normalizer", "an object or null", normalizer);
  const Json& members = Member(normalizer, "normalizers");
  if (Member(normalizer, "type") == "Sequence" && members.is_array() && members.empty()) {
    return absl::OkStatus();
  }
  return Unsupported("normalizer", normalizer, "null, an empty Sequence");
}

absl::Status ReadSplit(const Json& json, const std::string& path, TokenizerJson& out) {
  // Inverting changes what is a match and what lies between; both stay as pieces.
  if (Member(json, "behavior") != "Isolated") {
    return Unsupported(path + ".behavior", Member(json, "behavior"), "\"Isolated\"");
  }
  const Json& pattern = Member(json, "pattern");
  if (!pattern.is_object()) return Wrong(path + ".pattern", "an object", pattern);
  const bool is_literal = pattern.contains("String");
  ASSIGN_OR_RETURN(std::string text,
                   StringAt(pattern, path + ".pattern", is_literal ? "String" : "Regex"));
  if (text.size() > limits::kRegexBytesMax) {
    return absl::InvalidArgumentError(absl::StrFormat("%s.pattern: %d bytes, at most %d", path,
                                                      text.size(), limits::kRegexBytesMax));
  }
  out.splits.push_back({std::move(text), is_literal, path + ".pattern"});
  return absl::OkStatus();
}

absl::Status ReadByteLevel(const Json& json, const std::string& path, TokenizerJson& out) {
  ASSIGN_OR_RETURN(const bool prefix, BoolOr(json, path, "add_prefix_space", true));
  if (prefix) return Unsupported(path + ".add_prefix_space", true, "false");
  ASSIGN_OR_RETURN(const bool use_regex, BoolOr(json, path, "use_regex", true));
  if (use_regex) out.splits.push_back({std::string(kByteLevelPattern), false, path});
  return absl::OkStatus();
}

// One pre-tokenizer or a Sequence of them; the last one must be the only ByteLevel.
absl::Status ReadPreTokenizer(const Json& root, TokenizerJson& out) {
  const Json& json = Member(root, "pre_tokenizer");
  if (!json.is_object()) return Wrong("pre_tokenizer", "an object", json);
  const bool is_sequence = Member(json, "type") == "Sequence";
  const Json steps = is_sequence ? Member(json, "pretokenizers") : Json::array({json});
  if (!steps.is_array()) return Wrong("pre_tokenizer.pretokenizers", "an array", steps);
  if (steps.size() > limits::kPreTokenizerStepsMax) {
    return absl::InvalidArgumentError(absl::StrFormat("pre_tokenizer: %d steps, at most %d",
                                                      steps.size(), limits::kPreTokenizerStepsMax));
  }
  bool is_byte_level = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string path =
        is_sequence ? absl::StrFormat("pre_tokenizer.pretokenizers[%d]", i) : "pre_tokenizer";
    if (!steps[i].is_object()) return Wrong(path, "an object", steps[i]);
    const Json& type = Member(steps[i], "type");
    if (type == "ByteLevel" && i + 1 == steps.size()) {
      RETURN_IF_ERROR(ReadByteLevel(steps[i], path, out));
      is_byte_level = true;
    } else if (type == "Split") {
      RETURN_IF_ERROR(ReadSplit(steps[i], path, out));
    } else {
      return Unsupported(path + ".type", type, "\"Split\", and \"ByteLevel\" as the last");
    }
  }
  if (!is_byte_level) {
    return absl::UnimplementedError(
        "pre_tokenizer: no ByteLevel at its end; supported are byte-level tokenizers only");
  }
  return absl::OkStatus();
}

absl::Status CheckTypeIsByteLevel(const Json& root, const char* key, bool may_be_absent) {
  const Json& json = Member(root, key);
  if (json.is_null() && may_be_absent) return absl::OkStatus();
  if (!json.is_object()) return Wrong(key, "an object", json);
  if (Member(json, "type") == "ByteLevel") return absl::OkStatus();
  return Unsupported(Dotted(key, "type"), Member(json, "type"), "\"ByteLevel\"");
}

absl::StatusOr<TokenizerJson> ReadTokenizer(std::string_view text) {
  ASSIGN_OR_RETURN(const Json root, ParseObject(text));
  TokenizerJson out;
  RETURN_IF_ERROR(CheckNormalizer(root));
  RETURN_IF_ERROR(ReadPreTokenizer(root, out));
  // ByteLevel only moves offsets there; others add tokens, which is for tokenizer_config.json to
  // say.
  RETURN_IF_ERROR(CheckTypeIsByteLevel(root, "post_processor", /*may_be_absent=*/true));
  RETURN_IF_ERROR(CheckTypeIsByteLevel(root, "decoder", /*may_be_absent=*/false));
  RETURN_IF_ERROR(ReadModel(root, out));
  RETURN_IF_ERROR(ReadAddedTokens(root, out));
  return out;
}

// ---- tokenizer_config.json ----

// "<eos>", or {"__type": "AddedToken", "content": "<eos>", …}, or null.
absl::StatusOr<std::optional<std::string>> SpecialToken(const Json& root, const char* key) {
  const Json& value = Member(root, key);
  if (value.is_null()) return std::optional<std::string>();
  if (value.is_string()) return std::optional(value.get<std::string>());
  if (!value.is_object()) return Wrong(key, "a string, an object or null", value);
  ASSIGN_OR_RETURN(std::string content, StringAt(value, key, "content"));
  return std::optional(std::move(content));
}

// A string, or a list of {"name", "template"} of which "default" is the one for chat.
absl::StatusOr<std::string> ReadChatTemplate(const Json& root) {
  const Json& value = Member(root, "chat_template");
  if (value.is_null()) return std::string();
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return Wrong("chat_template", "a string, an array or null", value);
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!value[i].is_object()) {
      return Wrong(absl::StrFormat("chat_template[%d]", i), "an object", value[i]);
    }
    if (Member(value[i], "name") == "default") {
      return StringAt(value[i], absl::StrFormat("chat_template[%d]", i), "template");
    }
  }
  return absl::InvalidArgumentError("chat_template: no entry is named \"default\"");
}

absl::StatusOr<TokenizerConfigJson> ReadTokenizerConfig(std::string_view text) {
  ASSIGN_OR_RETURN(const Json root, ParseObject(text));
  TokenizerConfigJson out;
  ASSIGN_OR_RETURN(out.bos_token, SpecialToken(root, "bos_token"));
  ASSIGN_OR_RETURN(out.eos_token, SpecialToken(root, "eos_token"));
  ASSIGN_OR_RETURN(out.pad_token, SpecialToken(root, "pad_token"));
  ASSIGN_OR_RETURN(out.add_bos_token, BoolOr(root, "", "add_bos_token", false));
  ASSIGN_OR_RETURN(out.chat_template, ReadChatTemplate(root));
  return out;
}

absl::Status InFile(const char* file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrFormat("%s: %s", file, status.message()));
}

}  // namespace

absl::StatusOr<TokenizerJson> ParseTokenizerJson(std::string_view json) {
  absl::StatusOr<TokenizerJson> parsed = ReadTokenizer(json);
  if (!parsed.ok()) return InFile("tokenizer.json", parsed.status());
  return parsed;
}

absl::StatusOr<TokenizerConfigJson> ParseTokenizerConfig(std::string_view json) {
  if (json.empty()) return TokenizerConfigJson();
  absl::StatusOr<TokenizerConfigJson> parsed = ReadTokenizerConfig(json);
  if (!parsed.ok()) return InFile("tokenizer_config.json", parsed.status());
  return parsed;
}

}  // namespace engram
