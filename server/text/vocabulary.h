// SPDX-License-Identifier: Apache-2.0
// Token ids, their spellings in the vocabulary's alphabet and the bytes they stand for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace engram {

// Filled once, then only read. Not copyable: the lookup points into the stored tokens.
class Vocabulary {
 public:
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  // Room for ids from 0 to `id_max`; −1 for none.
  explicit Vocabulary(std::int32_t id_max);

  // InvalidArgument if the token has another id already, or the id another token. A token that is
  // there already, with this id, is fine. REQUIRES: 0 ≤ id ≤ id_max; `token` is valid UTF-8.
  absl::Status Add(std::string token, std::int32_t id);

  // One more than the highest id.
  std::int32_t size() const { return static_cast<std::int32_t>(tokens_.size()); }
  std::optional<std::int32_t> IdOf(std::string_view token) const;
  // Empty for ids without a token, negative ones included.
  std::string_view TokenString(std::int32_t id) const;
  std::string_view TokenBytes(std::int32_t id) const;

 private:
  std::vector<std::string> tokens_;                           // [id]
  std::vector<std::string> bytes_;                            // [id]
  absl::flat_hash_map<absl::string_view, std::int32_t> ids_;  // keys point into tokens_
};

}  // namespace engram
