// SPDX-License-Identifier: Apache-2.0
// See vocabulary.h.
#include "server/text/vocabulary.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/strings.h"
#include "server/text/byte_alphabet.h"

namespace engram {

Vocabulary::Vocabulary(std::int32_t id_max) : tokens_(id_max + 1), bytes_(id_max + 1) {
  ids_.reserve(tokens_.size());
}

absl::Status Vocabulary::Add(std::string token, std::int32_t id) {
  CHECK(id >= 0 && id < size());
  if (token.empty()) return absl::InvalidArgumentError("an empty token");
  if (const std::optional<std::int32_t> other = IdOf(token)) {
    if (*other == id) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrFormat("token '%s' has two ids, %d and %d", token, *other, id));
  }
  if (!tokens_[id].empty()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("id %d has two tokens, '%s' and '%s'", id, tokens_[id], token));
  }
  bytes_[id] = BytesOfToken(token);
  tokens_[id] = std::move(token);
  ids_.emplace(ToAbsl(tokens_[id]), id);
  return absl::OkStatus();
}

std::optional<std::int32_t> Vocabulary::IdOf(std::string_view token) const {
  const auto found = ids_.find(ToAbsl(token));
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::string_view Vocabulary::TokenString(std::int32_t id) const {
  if (id < 0 || id >= size()) return {};
  return tokens_[id];
}

std::string_view Vocabulary::TokenBytes(std::int32_t id) const {
  if (id < 0 || id >= size()) return {};
  return bytes_[id];
}

}  // namespace engram
