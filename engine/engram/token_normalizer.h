// SPDX-License-Identifier: Apache-2.0
// The normalisation that token compression is built on (spec A.2), equal to Hugging Face's
// normalizers on every code point: NFKC, NFD, strip marks, lower-case, collapse and trim blanks.
// The only place of the engine that sees ICU.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace engram {

// Immutable, thread-safe. Making one takes milliseconds (ICU's sets), so make one for many texts.
class TokenNormalizer {
 public:
  TokenNormalizer();
  ~TokenNormalizer();

  // REQUIRES: `text` is valid UTF-8. So is the result.
  std::string Normalize(std::string_view text) const;

 private:
  struct Forms;
  std::unique_ptr<const Forms> forms_;
};

}  // namespace engram
