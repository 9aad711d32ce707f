// SPDX-License-Identifier: Apache-2.0
// See tokenizer.h. Added tokens first, then the pre-tokenizer's pieces, then BPE within each piece.
#include "server/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"
#include "server/text/added_tokens.h"
#include "server/text/bpe.h"
#include "server/text/pre_tokenizer.h"
#include "server/text/tokenizer_json.h"
#include "server/text/utf8.h"
#include "server/text/vocabulary.h"

namespace engram {
namespace {

absl::Status WithPrefix(const std::string& prefix, const absl::Status& status) {
  return absl::Status(status.code(), ToAbsl(prefix + Message(status)));
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, std::size_t bytes_max) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) {
    return absl::NotFoundError(absl::StrFormat("%s: %s", path, error.message()));
  }
  if (bytes > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %d bytes, at most %d", path, bytes, bytes_max));
  }
  std::ifstream file(path, std::ios::binary);
  std::string contents(bytes, '\0');
  if (!file.read(contents.data(), static_cast<std::streamsize>(bytes))) {
    return absl::UnavailableError(absl::StrFormat("%s: cannot be read", path));
  }
  return contents;
}

// The id of a token that tokenizer_config.json names.
absl::StatusOr<std::optional<std::int32_t>> ConfiguredId(const Vocabulary& vocabulary,
                                                         const std::optional<std::string>& token,
                                                         std::string_view key) {
  if (!token) return std::optional<std::int32_t>();
  const std::optional<std::int32_t> id = vocabulary.IdOf(*token);
  if (id) return id;
  return absl::InvalidArgumentError(absl::StrFormat(
      "tokenizer_config.json: %s: token '%s' is not in tokenizer.json", key, *token));
}

absl::StatusOr<Vocabulary> MakeVocabulary(const TokenizerJson& json) {
  std::int32_t id_max = -1;
  for (const auto& [token, id] : json.vocabulary) id_max = std::max(id_max, id);
  for (const AddedToken& token : json.added_tokens) id_max = std::max(id_max, token.id);
  Vocabulary vocabulary(id_max);
  for (const auto& [token, id] : json.vocabulary) {
    const absl::Status added = vocabulary.Add(token, id);
    if (!added.ok()) return WithPrefix("tokenizer.json: model.vocab: ", added);
  }
  return vocabulary;
}

absl::StatusOr<Bpe> MakeBpe(const Vocabulary& vocabulary, TokenizerJson& json) {
  BpeOptions options;
  options.merges = std::move(json.merges);
  options.ignore_merges = json.ignore_merges;
  for (const AddedToken& token : json.added_tokens) options.added_tokens.push_back(token.content);
  absl::StatusOr<Bpe> bpe = Bpe::Create(vocabulary, options);
  if (!bpe.ok()) return WithPrefix("tokenizer.json: ", bpe.status());
  return bpe;
}

// Bit per id.
struct AddedFlags {
  std::vector<bool> is_added;    // [size]
  std::vector<bool> is_special;  // [size]
};

absl::StatusOr<AddedFlags> AddTokens(std::span<const AddedToken> tokens, Vocabulary& vocabulary) {
  AddedFlags flags{std::vector<bool>(vocabulary.size()), std::vector<bool>(vocabulary.size())};
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const absl::Status added = vocabulary.Add(tokens[i].content, tokens[i].id);
    if (!added.ok()) {
      return WithPrefix(absl::StrFormat("tokenizer.json: added_tokens[%d]: ", i), added);
    }
    flags.is_added[tokens[i].id] = true;
    flags.is_special[tokens[i].id] = tokens[i].special;
  }
  return flags;
}

}  // namespace

struct Tokenizer::Impl {
  Vocabulary vocabulary;
  AddedFlags flags;
  AddedTokens added;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  TokenizerConfigJson config;
  std::string bos_token, eos_token;
  std::optional<std::int32_t> bos_id, eos_id, pad_id;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Load(const std::string& directory) {
  const std::string config_path = directory + "/tokenizer_config.json";
  ASSIGN_OR_RETURN(const std::string tokenizer_json,
                   ReadWholeFile(directory + "/tokenizer.json", limits::kTokenizerFileBytesMax));
  ASSIGN_OR_RETURN(const std::string config_json,
                   ReadWholeFile(config_path, limits::kConfigFileBytesMax));
  if (config_json.empty()) return absl::InvalidArgumentError(config_path + ": the file is empty");
  absl::StatusOr<std::unique_ptr<Tokenizer>> parsed = Parse(tokenizer_json, config_json);
  if (!parsed.ok()) return WithPrefix(directory + "/", parsed.status());
  return parsed;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Parse(std::string_view tokenizer_json,
                                                            std::string_view config_json) {
  ASSIGN_OR_RETURN(TokenizerJson json, ParseTokenizerJson(tokenizer_json));
  ASSIGN_OR_RETURN(TokenizerConfigJson config, ParseTokenizerConfig(config_json));
  ASSIGN_OR_RETURN(Vocabulary vocabulary, MakeVocabulary(json));
  ASSIGN_OR_RETURN(Bpe bpe, MakeBpe(vocabulary, json));
  ASSIGN_OR_RETURN(AddedFlags flags, AddTokens(json.added_tokens, vocabulary));
  absl::StatusOr<PreTokenizer> pre_tokenizer = PreTokenizer::Create(json.splits);
  if (!pre_tokenizer.ok()) return WithPrefix("tokenizer.json: ", pre_tokenizer.status());
  ASSIGN_OR_RETURN(const auto bos_id, ConfiguredId(vocabulary, config.bos_token, "bos_token"));
  ASSIGN_OR_RETURN(const auto eos_id, ConfiguredId(vocabulary, config.eos_token, "eos_token"));
  ASSIGN_OR_RETURN(const auto pad_id, ConfiguredId(vocabulary, config.pad_token, "pad_token"));
  if (config.add_bos_token && !bos_id) {
    return absl::InvalidArgumentError(
        "tokenizer_config.json: add_bos_token is true, but there is no bos_token");
  }
  std::string bos_token = config.bos_token.value_or("");
  std::string eos_token = config.eos_token.value_or("");
  auto impl = std::unique_ptr<Impl>(new Impl{
      .vocabulary = std::move(vocabulary),
      .flags = std::move(flags),
      .added = AddedTokens(std::move(json.added_tokens)),
      .pre_tokenizer = *std::move(pre_tokenizer),
      .bpe = std::move(bpe),
      .config = std::move(config),
      .bos_token = std::move(bos_token),
      .eos_token = std::move(eos_token),
      .bos_id = bos_id,
      .eos_id = eos_id,
      .pad_id = pad_id,
  });
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl)));
}

absl::StatusOr<std::vector<std::int32_t>> Tokenizer::Encode(std::string_view text,
                                                            SpecialTokens special) const {
  const TextRange whole = {0, text.size()};
  if (special == SpecialTokens::kAsText) return EncodeAround(text, std::span(&whole, 1));
  return EncodeAround(text, {});
}

absl::StatusOr<std::vector<std::int32_t>> Tokenizer::EncodeAround(
    std::string_view text, std::span<const TextRange> literal) const {
  if (text.size() > limits::kEncodeTextBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrFormat("text of %d bytes, at most %d", text.size(), limits::kEncodeTextBytesMax));
  }
  if (const std::size_t valid = ValidUtf8Prefix(text); valid < text.size()) {
    return absl::InvalidArgumentError(absl::StrFormat("text is not UTF-8: byte 0x%02X at offset %d",
                                                      static_cast<unsigned char>(text[valid]),
                                                      valid));
  }
  std::vector<std::int32_t> ids;
  for (const TextSegment& segment : impl_->added.Split(text, literal)) {
    if (segment.added_id) {
      ids.push_back(*segment.added_id);
      continue;
    }
    const std::string_view ordinary = text.substr(segment.range.begin, segment.range.size());
    ASSIGN_OR_RETURN(const std::vector<std::string_view> pieces,
                     impl_->pre_tokenizer.Split(ordinary));
    for (const std::string_view piece : pieces) impl_->bpe.Encode(piece, ids);
  }
  return ids;
}

std::string Tokenizer::Decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    if (!skip_special_tokens || !IsSpecial(id)) bytes += TokenBytes(id);
  }
  return RepairedUtf8(bytes);
}

std::string_view Tokenizer::TokenBytes(std::int32_t id) const {
  return impl_->vocabulary.TokenBytes(id);
}

std::string_view Tokenizer::TokenString(std::int32_t id) const {
  return impl_->vocabulary.TokenString(id);
}

bool Tokenizer::IsSpecial(std::int32_t id) const {
  return id >= 0 && id < size() && impl_->flags.is_special[id];
}

bool Tokenizer::IsAdded(std::int32_t id) const {
  return id >= 0 && id < size() && impl_->flags.is_added[id];
}

std::optional<std::int32_t> Tokenizer::IdOf(std::string_view token) const {
  return impl_->vocabulary.IdOf(token);
}

std::int32_t Tokenizer::size() const { return impl_->vocabulary.size(); }
std::optional<std::int32_t> Tokenizer::bos_id() const { return impl_->bos_id; }
std::optional<std::int32_t> Tokenizer::eos_id() const { return impl_->eos_id; }
std::optional<std::int32_t> Tokenizer::pad_id() const { return impl_->pad_id; }
bool Tokenizer::add_bos_token() const { return impl_->config.add_bos_token; }
const std::string& Tokenizer::chat_template() const { return impl_->config.chat_template; }
const std::string& Tokenizer::bos_token() const { return impl_->bos_token; }
const std::string& Tokenizer::eos_token() const { return impl_->eos_token; }

}  // namespace engram
