// SPDX-License-Identifier: Apache-2.0
#include "server/http/logprobs_json.h"

#include <algorithm>
#include <utility>

namespace engram {
namespace {

// JSON has no infinity; OpenAI's clients know this number for it.
constexpr double kLogprobMin = -9999.0;

double Shown(float logprob) { return std::max(static_cast<double>(logprob), kLogprobMin); }

int CharacterCount(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::size_t Count(const TokenResult& token, int top) {
  return std::min(token.top_logprobs.size(), static_cast<std::size_t>(std::max(top, 0)));
}

// An object cannot hold two tokens of one name (halves of characters are all U+FFFD): the likelier
// stays, so that comparing a token with the best one still tells whether it is the best.
void WriteTopObject(JsonWriter* json, const TokenResult& token, int top, const TokenNames& names) {
  std::vector<std::pair<std::string, double>> entries;
  const auto add = [&entries, &names](const TokenLogprob& logprob) {
    const std::string name = names(logprob.token);
    const auto same = std::find_if(entries.begin(), entries.end(),
                                   [&name](const auto& entry) { return entry.first == name; });
    if (same == entries.end()) {
      entries.emplace_back(name, Shown(logprob.logprob));
    } else {
      same->second = std::max(same->second, Shown(logprob.logprob));
    }
  };
  add(*token.logprob);
  for (std::size_t i = 0; i < Count(token, top); ++i) add(token.top_logprobs[i]);
  json->BeginObject();
  for (const auto& [name, logprob] : entries) json->Key(name).Number(logprob);
  json->EndObject();
}

void WriteChatToken(JsonWriter* json, const TokenLogprob& logprob, const TokenNames& names) {
  json->StringField("token", names(logprob.token));
  json->Key("logprob").Number(Shown(logprob.logprob));
  json->Key("bytes").BeginArray();
  for (const char c : names.tokenizer->TokenBytes(logprob.token)) {
    json->Integer(static_cast<unsigned char>(c));
  }
  json->EndArray();
}

}  // namespace

std::string TokenNames::operator()(std::int32_t token) const {
  if (as_ids) return "token_id:" + std::to_string(token);
  return tokenizer->Decode({&token, 1}, /*skip_special_tokens=*/false);
}

void WriteCompletionLogprobs(JsonWriter* json, const std::vector<const TokenResult*>& tokens,
                             int top, const TokenNames& names, int* offset) {
  json->BeginObject().Key("text_offset").BeginArray();
  for (const TokenResult* token : tokens) {
    json->Integer(*offset);
    *offset += CharacterCount(names(token->token));
  }
  json->EndArray().Key("token_logprobs").BeginArray();
  for (const TokenResult* token : tokens) {
    token->logprob.has_value() ? json->Number(Shown(token->logprob->logprob)) : json->Null();
  }
  json->EndArray().Key("tokens").BeginArray();
  for (const TokenResult* token : tokens) json->String(names(token->token));
  json->EndArray().Key("top_logprobs").BeginArray();
  for (const TokenResult* token : tokens) {
    token->logprob.has_value() ? WriteTopObject(json, *token, top, names)
                               : static_cast<void>(json->Null());
  }
  json->EndArray().EndObject();
}

void WriteChatLogprobs(JsonWriter* json, const std::vector<TokenResult>& tokens, int top,
                       const TokenNames& names) {
  json->BeginObject().Key("content").BeginArray();
  for (const TokenResult& token : tokens) {
    if (!token.logprob.has_value()) continue;
    json->BeginObject();
    WriteChatToken(json, *token.logprob, names);
    json->Key("top_logprobs").BeginArray();
    for (std::size_t i = 0; i < Count(token, top); ++i) {
      json->BeginObject();
      WriteChatToken(json, token.top_logprobs[i], names);
      json->EndObject();
    }
    json->EndArray().EndObject();
  }
  json->EndArray().EndObject();
}

void WritePromptLogprobs(JsonWriter* json, const PromptResult& prompt, int top,
                         const TokenNames& names) {
  const auto write = [json, &names](const TokenLogprob& logprob) {
    json->Key(std::to_string(logprob.token)).BeginObject();
    json->Key("logprob").Number(Shown(logprob.logprob));
    json->IntegerField("rank", logprob.rank);
    json->StringField("decoded_token", names(logprob.token)).EndObject();
  };
  json->BeginArray();
  for (const TokenResult& token : prompt.tokens) {
    if (!token.logprob.has_value()) {
      json->Null();
      continue;
    }
    json->BeginObject();
    write(*token.logprob);
    for (std::size_t i = 0; i < Count(token, top); ++i) {
      if (token.top_logprobs[i].token != token.logprob->token) write(token.top_logprobs[i]);
    }
    json->EndObject();
  }
  json->EndArray();
}

}  // namespace engram
